"""The issuer's word, given at its counter after card and face were checked, as a signed JWT.

It names the key of the holder's new phone (`cnf`, RFC 7800), so that it is of no use to others. It
stands in for the recovery card, and is good for one attempt at each agent, also for one beyond
those that they give without help.

| claim | meaning |
| --- | --- |
| `iss` | the issuer's ledger account |
| `aud` | `tegata-escrow` |
| `jti` | taken once by each agent |
| `iat`, `exp` | seconds since 1970, UTC |
| `account` | the holder's ledger account |
| `cnf.jkt` | thumbprint of the key that the requests are signed with |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, sign_compact
from client_sdk.credentials.voucher import verify_voucher
from client_sdk.errors import AttestationError
from client_sdk.strict_json import JsonFields

COUNTER_TYP: Final = "tegata-counter+jwt"
ESCROW_AUDIENCE: Final = "tegata-escrow"
MAX_SECONDS: Final = 900
_WHAT: Final = "the counter's token"


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterToken:
    """What an issuer vouches for.

    Attributes:
        issuer: The issuer's ledger account.
        id: 128 random bits or more.
        issued_at: Seconds since 1970, UTC.
        expires_at: Seconds since 1970, UTC.
        account: The holder's ledger account.
        key: Thumbprint of the key of the holder's new phone.
    """

    issuer: str
    id: str
    issued_at: int
    expires_at: int
    account: str
    key: str

    def sign(self, key: Key) -> str:
        """Return the token as a JWT."""
        claims: JsonObject = {
            "iss": self.issuer,
            "aud": ESCROW_AUDIENCE,
            "jti": self.id,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "account": self.account,
            "cnf": {"jkt": self.key},
        }
        return sign_compact({"typ": COUNTER_TYP}, claims, key)


def verify_counter_token(
    token: str, *, keys: Mapping[str, Key], expected_key: str, now_s: int
) -> CounterToken:
    """Return a token, now known to be of a trusted issuer and for the sender of this request.

    Args:
        token: The JWT.
        keys: The keys of the issuers that are trusted, by ledger account.
        expected_key: Thumbprint of the key that the request is signed with.
        now_s: Seconds since 1970, UTC.

    Raises:
        AttestationError: It is not; the text says why.
    """
    claims = verify_voucher(
        token, keys, typ=COUNTER_TYP, what=_WHAT, most_s=MAX_SECONDS, now_s=now_s
    )
    fields = JsonFields(claims, what=_WHAT, error=AttestationError)
    if fields.text("aud") != ESCROW_AUDIENCE:
        raise AttestationError(f"{_WHAT} is for another audience")
    confirmed = JsonFields(claims.get("cnf"), what=_WHAT, error=AttestationError)
    if confirmed.text("jkt") != expected_key:
        raise AttestationError(f"{_WHAT} was given to another phone")
    return CounterToken(
        issuer=fields.text("iss"),
        id=fields.text("jti"),
        issued_at=fields.whole("iat"),
        expires_at=fields.whole("exp"),
        account=fields.text("account"),
        key=expected_key,
    )
