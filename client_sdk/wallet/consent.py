"""What a consent screen shows: who asks, for what, and exactly what an answer would disclose."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from chaincode.encoding import JsonValue
from client_sdk.credentials.sd_jwt_vc import disclose_credential, parse_credential
from client_sdk.credentials.sd_jwt_vc_claims import NEVER_CONCEALED, PLACE_CLAIM
from client_sdk.errors import RequestError
from client_sdk.openid4vp.dcql import ClaimsPath, CredentialQuery, select_paths
from client_sdk.openid4vp.grant_offer import GrantOffer
from client_sdk.openid4vp.signed_request import VerifiedRequest
from client_sdk.wallet.wallet_records import StoredCredential

# What every presentation shows of the credential itself, and nothing of its holder's attributes.
_NO_ATTRIBUTES: Final = NEVER_CONCEALED | {"iat", PLACE_CLAIM}


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAttribute:
    """One attribute that an answer would show.

    Attributes:
        path: Where it is in the credential.
        value: What the verifier would see.
    """

    path: ClaimsPath
    value: JsonValue = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    """A verified request together with what would answer it: all that a consent screen shows.

    Attributes:
        request: The verified request.
        credential: The credential that would be shown.
        paths: The claims that the request asks for.
        shares: Exactly what would be shown, and nothing else would be: also what stands in the
            credential openly, and what comes along with a claim that is asked for.
    """

    request: VerifiedRequest
    credential: StoredCredential
    paths: tuple[ClaimsPath, ...]
    shares: tuple[SharedAttribute, ...]

    @property
    def verifier_name(self) -> str:
        """Who asks. It is that party's own claim unless `is_verified`."""
        return self.request.verifier_name

    @property
    def is_verified(self) -> bool:
        """Whether an authority that the wallet trusts certified the verifier."""
        return self.request.is_anchored

    @property
    def offer(self) -> GrantOffer | None:
        """The grant that the verifier asks for; None where it asks for none."""
        return self.request.offer


def find_answer(
    request: VerifiedRequest, credentials: Iterable[StoredCredential], *, now_ms: int
) -> PendingRequest:
    """Return what answers a request: the first credential that does.

    Args:
        request: The verified request, for one credential.
        credentials: In the order of preference.
        now_ms: Milliseconds since 1970, UTC.

    Raises:
        RequestError: None answers it, or it asks for several at once.
    """
    if len(request.request.query.credentials) != 1:
        raise RequestError("the verifier asks for several credentials at once")
    (query,) = request.request.query.credentials
    refusal = RequestError("the wallet holds no credential")
    for credential in credentials:
        if credential.expires_at_ms <= now_ms:
            refusal = RequestError("the wallet's credential has expired; ask for a new one")
            continue
        try:
            paths = _matching_paths(query, credential)
        except RequestError as error:
            refusal = error
            continue
        return PendingRequest(
            request=request,
            credential=credential,
            paths=paths,
            shares=tuple(_shares(credential, paths)),
        )
    raise refusal


def _matching_paths(query: CredentialQuery, credential: StoredCredential) -> tuple[ClaimsPath, ...]:
    claims = parse_credential(credential.sd_jwt).unverified_claims
    return select_paths(query, vct=credential.credential_type, claims=claims)


def _shares(
    credential: StoredCredential, paths: tuple[ClaimsPath, ...]
) -> Iterator[SharedAttribute]:
    """Yield what a presentation of these paths really holds, read back from one."""
    shown = parse_credential(disclose_credential(credential.sd_jwt, paths=paths))
    asked = {path[0] for path in paths}
    for name, claim in shown.unverified_claims.items():
        if name not in _NO_ATTRIBUTES or name in asked:
            yield from _leaves((name,), claim)


def _leaves(path: ClaimsPath, value: JsonValue) -> Iterator[SharedAttribute]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves((*path, name), member)
    elif isinstance(value, list) and value:
        for index, element in enumerate(value):
            yield from _leaves((*path, index), element)
    else:
        yield SharedAttribute(path=path, value=value)
