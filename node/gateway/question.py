"""What a verifier wants to know of a holder: one value, whatever its form at the gateway's API."""

from dataclasses import dataclass
from typing import Final, Self

from client_sdk.openid4vp.claims_path import name_path
from client_sdk.openid4vp.dcql import build_query
from client_sdk.openid4vp.dcql_query import DcqlQuery
from client_sdk.purposes import DEFAULT_TERM, PurposeTerm

QUERY_ID: Final = "resident"
"""The id of the only credential query where a verifier names attributes instead of a query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FacePolicy:
    """That the holder's face is tested.

    Attributes:
        max_age_s: How many seconds the test may be old; None where it must be for this request.
    """

    max_age_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a verifier wants to know.

    Attributes:
        query: The credentials and claims, in DCQL.
        purpose: What for, in words for the holder.
        grant_seconds: How long the holder's grant is to last.
        redirect_uri: Where the holder's browser goes after the answer, on the same device; a fresh
            `response_code` is added, and only who brings it reads the result. None where the holder
            answers from another device.
        purpose_term: The purpose's term in the vocabulary.
        face: The face test that is demanded; None for none.
    """

    query: DcqlQuery
    purpose: str
    grant_seconds: int
    redirect_uri: str | None = None
    purpose_term: PurposeTerm = DEFAULT_TERM
    face: FacePolicy | None = None

    @classmethod
    def for_attributes(
        cls,
        attributes: tuple[str, ...],
        *,
        credential_type: str,
        purpose: str,
        grant_seconds: int,
        redirect_uri: str | None = None,
        purpose_term: PurposeTerm = DEFAULT_TERM,
        face: FacePolicy | None = None,
    ) -> Self:
        """Return the question for top-level claims of one credential.

        Args:
            attributes: Names of claims, each once.
            credential_type: The credential's `vct`.
            purpose: What for, in words for the holder.
            grant_seconds: How long the holder's grant is to last.
            redirect_uri: Where the holder's browser goes after the answer.
            purpose_term: The purpose's term in the vocabulary.
            face: The face test that is demanded; None for none.

        Raises:
            RequestError: An attribute is there twice, or a text is not acceptable.
        """
        return cls(
            query=build_query(query_id=QUERY_ID, vct=credential_type, attributes=attributes),
            purpose=purpose,
            grant_seconds=grant_seconds,
            redirect_uri=redirect_uri,
            purpose_term=purpose_term,
            face=face,
        )

    @property
    def attributes(self) -> tuple[str, ...]:
        """The claims that are asked for, as people read them, each once."""
        paths = (claim.path for credential in self.query.credentials for claim in credential.claims)
        return tuple(dict.fromkeys(name_path(path) for path in paths))
