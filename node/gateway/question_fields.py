"""The fields of a question that a verifier asks over HTTP, for one request or for a while."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from client_sdk.errors import UnknownPurposeError
from client_sdk.openid4vp.grant_offer import MAX_ATTRIBUTES, MAX_PURPOSE_CHARS
from client_sdk.purposes import PURPOSE_TERMS, parse_identifier


def _known_purpose(text: str) -> str:
    try:
        return parse_identifier(text).iri
    except UnknownPurposeError as error:
        raise ValueError(str(error)) from None


Attribute = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
Attributes = Annotated[list[Attribute], Field(min_length=1, max_length=MAX_ATTRIBUTES)]
Purpose = Annotated[
    str,
    Field(
        min_length=1, max_length=MAX_PURPOSE_CHARS, description="What for; the holder reads this."
    ),
]
PurposeName = Annotated[
    str,
    AfterValidator(_known_purpose),
    Field(
        json_schema_extra={"enum": [term.iri for term in PURPOSE_TERMS.values()]},
        description="The purpose's term in the W3C Data Privacy Vocabulary.",
    ),
]
CredentialType = Annotated[str, Field(pattern=r"^[!-~]{1,200}$", description="The `vct`.")]
