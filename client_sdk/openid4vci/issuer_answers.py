"""What an issuer's service answers: its metadata, and its refusals in our own words."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import (
    CredentialFormatError,
    IssuerRefusedError,
    KeyFormatError,
    OfferError,
    TransportError,
    VerificationError,
)
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.openid4vci.issuer_metadata import ISSUER_METADATA, IssuerMetadata, well_known_url
from client_sdk.openid4vci.signed_metadata import (
    METADATA_MEDIA_TYPE,
    MetadataTrust,
    verify_metadata,
)

_HTTP_OK: Final = 200
_LEEWAY_S: Final = 60
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}")
_ADVICE: Final = {
    "credential_request_denied": "the issuer will not give this credential; ask it why",
    "invalid_grant": "the offer or the transaction code is wrong, used or expired",
    "invalid_request": "the offer asks for a transaction code, or for none",
    "invalid_token": "the offer was used or has expired; ask for a new one",
    "invalid_enrolment": "the enrolment code is wrong, used or expired; ask for a new one",
}


def fetch_metadata(
    issuer_url: str, *, http: HttpClient, trust: MetadataTrust | None = None
) -> IssuerMetadata:
    """Return what an issuer publishes of itself (section 12.2).

    Args:
        issuer_url: The issuer's identifier.
        http: The session.
        trust: Who must vouch for it (section 12.2.3); None where its web server's word is enough.

    Raises:
        OfferError: It has no acceptable metadata, or nobody who is trusted vouches for it.
        TransportError: It cannot be reached.
    """
    where = f"{host_of(issuer_url)}: issuer metadata"
    url = well_known_url(issuer_url, ISSUER_METADATA)
    if trust is None:
        fields = accept_answer(http.get(url), where)
    else:
        fields = _read_signed(http.get(url, accept=METADATA_MEDIA_TYPE), issuer_url, trust, where)
    return IssuerMetadata.from_fields(fields, expected_issuer=issuer_url)


def _read_signed(
    answer: HttpAnswer, issuer_url: str, trust: MetadataTrust, where: str
) -> JsonObject:
    if answer.status != _HTTP_OK:
        return accept_answer(answer, where)
    if answer.media_type != METADATA_MEDIA_TYPE:
        raise OfferError(f"{where}: it is not signed, and the wallet demands that")
    try:
        return verify_metadata(
            answer.body.decode("ascii", "replace"),
            expected_issuer=issuer_url,
            anchors=trust.anchors,
            now_s=trust.now_s,
            leeway_s=_LEEWAY_S,
        )
    except (CredentialFormatError, VerificationError, KeyFormatError) as error:
        raise OfferError(f"{where}: {error}") from None


def accept_answer(answer: HttpAnswer, where: str) -> JsonObject:
    """Return the members of a good answer.

    Args:
        answer: The answer.
        where: Whose answer to what it is, for the error's text.

    Raises:
        IssuerRefusedError: The service refused; the text holds nothing that was sent.
        TransportError: The service is out of order, or its answer is no JSON object.
    """
    if answer.status in (200, 201, 202):
        return answer.json()
    if answer.status >= 500:
        raise TransportError(f"{where}: the service is out of order (HTTP {answer.status}); later?")
    code = _error_code(answer)
    # The server's own description is left out: it may repeat what was sent.
    advice = _ADVICE.get(code, f"the issuer refused (HTTP {answer.status})")
    raise IssuerRefusedError(f"{where}: {code}: {advice}", code=code)


def _error_code(answer: HttpAnswer) -> str:
    try:
        fields: Mapping[str, JsonValue] = answer.json()
    except TransportError:
        fields = {}
    code = fields.get("error", fields.get("code"))
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else "no_error_code"


def host_of(url: str) -> str:
    """Return the host and port of a URL: what an error may tell of it."""
    return urlsplit(url).netloc
