"""Short-lived words of others on a holder, as signed JWTs: what their checks have in common."""

from collections.abc import Mapping
from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, parse_compact, validate_times
from client_sdk.errors import AttestationError, ClientError
from client_sdk.strict_json import JsonFields

LEEWAY_S: Final = 30


def verify_voucher(
    token: str, keys: Mapping[str, Key], *, typ: str, what: str, most_s: int, now_s: int
) -> JsonObject:
    """Return the claims of a JWT, now known to be signed by the one that its `iss` names.

    Args:
        token: The JWT.
        keys: The keys of those who are trusted, by name.
        typ: Its `typ`.
        what: What it is, for an error's text.
        most_s: How long it may last at most, in seconds.
        now_s: Seconds since 1970, UTC.

    Raises:
        AttestationError: Nobody trusted signed it, it has expired, or it lasts longer than allowed.
    """
    try:
        unverified = parse_compact(token)
        issuer = str(unverified.unverified_payload.get("iss"))
        if issuer in keys:
            _, claims = unverified.verify(key=keys[issuer], expected_typ=typ)
            validate_times(claims, now_s=now_s, leeway_s=LEEWAY_S)
    except ClientError as error:
        raise AttestationError(f"{what}: {error}") from None
    if issuer not in keys:
        raise AttestationError(f"{what} is of nobody whom this service trusts")
    fields = JsonFields(claims, what=what, error=AttestationError)
    if not 0 < fields.whole("exp") - fields.whole("iat") <= most_s:
        raise AttestationError(f"{what} lasts longer than {most_s} s")
    return claims
