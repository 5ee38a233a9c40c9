"""Authorization requests and their answers (OpenID4VCI 1.0 section 5, RFC 6749, 7636, 9207)."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from chaincode.encoding import JsonObject, JsonValue, encode_base64url
from client_sdk.errors import IssuerRefusedError, OfferError
from client_sdk.strict_json import encode_json

OPENID_CREDENTIAL: Final = "openid_credential"
CHALLENGE_METHOD: Final = "S256"
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}")
_MAX_CODE_CHARS: Final = 2048


def challenge_of(verifier: str) -> str:
    """Return the code challenge of a code verifier, by S256 (RFC 7636 section 4.2)."""
    return encode_base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def is_verifier(text: str) -> bool:
    """Return whether a text has the form of a code verifier (RFC 7636 section 4.1)."""
    return _VERIFIER.fullmatch(text) is not None


def is_challenge(text: str) -> bool:
    """Return whether a text has the form of an S256 challenge (RFC 7636 section 4.2)."""
    return _CHALLENGE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAuthorization:
    """What a wallet remembers while its holder is at the issuer's page.

    Attributes:
        issuer: The authorization server's identifier.
        redirect_uri: Where the browser comes back to.
        state: Ties the answer to this request.
        verifier: The code verifier.
    """

    issuer: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    def to_request(
        self,
        *,
        client_id: str,
        scope: str | None,
        configuration_id: str,
        issuer_state: str | None,
    ) -> dict[str, str]:
        """Return the parameters of the authorization request.

        Args:
            client_id: The wallet's.
            scope: What names the credential; None to name it in `authorization_details`.
            configuration_id: The name in the issuer's metadata.
            issuer_state: From the offer; None where it has none.
        """
        request = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": CHALLENGE_METHOD,
        }
        if scope is not None:
            request["scope"] = scope
        else:
            details = encode_json([details_of(configuration_id)])
            request["authorization_details"] = details.decode("utf-8")
        if issuer_state is not None:
            request["issuer_state"] = issuer_state
        return request

    def read_answer(self, url: str, *, iss_expected: bool) -> str:
        """Return the authorization code that the browser came back with.

        Args:
            url: Where it came to, with its query.
            iss_expected: Whether the server says that its answers name it (RFC 9207).

        Raises:
            IssuerRefusedError: The server, or the holder there, declined.
            OfferError: The answer is of another server, to another request, or holds no code.
        """
        try:
            pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=32)
        except ValueError:
            raise OfferError("authorization: the answer is not a URI") from None
        values = dict(pairs)
        if len(values) != len(pairs):
            raise OfferError("authorization: a parameter of the answer stands there twice")
        if values.get("state") != self.state:
            raise OfferError("authorization: the answer is to another request (state)")
        if (iss_expected or "iss" in values) and values.get("iss") != self.issuer:
            raise OfferError("authorization: the answer is another server's, or nobody's (iss)")
        if "error" in values:
            code = values["error"] if _ERROR_CODE.fullmatch(values["error"]) else "no_error_code"
            raise IssuerRefusedError(f"authorization: {code}: it was declined", code=code)
        code = values.get("code", "")
        if not 1 <= len(code) <= _MAX_CODE_CHARS:
            raise OfferError("authorization: the answer holds no code")
        return code


def build_authorization_url(endpoint: str, parameters: dict[str, str]) -> str:
    """Return where the holder's browser goes."""
    separator = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint}{separator}{urlencode(parameters)}"


def details_of(configuration_id: str, *identifiers: str) -> JsonObject:
    """Return the authorization details of a credential (section 5.1.1, in a token answer 6.2)."""
    details: JsonObject = {
        "type": OPENID_CREDENTIAL,
        "credential_configuration_id": configuration_id,
    }
    if identifiers:
        named: list[JsonValue] = [*identifiers]
        details["credential_identifiers"] = named
    return details
