"""What an attacker does with a wallet's answer: change it, send it again, sign it anew."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from client_sdk.credentials.jose import generate_key, parse_compact
from client_sdk.credentials.sd_jwt import Disclosure, SdJwt, parse_sd_jwt
from client_sdk.credentials.sd_jwt_key_binding import sign_key_binding
from client_sdk.http_client import HttpAnswer, HttpClient

_ACCEPTED: Final = HttpAnswer(status=200, media_type="application/json", body=b"{}")


class TappedLine(HttpClient):
    """A connection whose answers to verifiers are kept by an attacker and never arrive.

    Attributes:
        kept: Where the last answer was going, and its form fields.
    """

    kept: tuple[str, dict[str, str]]

    def post_form(self, url: str, form: Mapping[str, str]) -> HttpAnswer:
        """Keep what would be sent."""
        self.kept = (url, dict(form))
        return _ACCEPTED


def presentation_of(form: Mapping[str, str]) -> SdJwt:
    """Return the one presentation in a response."""
    ((presentation,),) = json.loads(form["vp_token"]).values()
    return parse_sd_jwt(presentation)


def with_presentation(form: Mapping[str, str], presentation: SdJwt) -> dict[str, str]:
    """Return the response with another presentation in the place of its own."""
    (query_id,) = json.loads(form["vp_token"])
    return {**form, "vp_token": json.dumps({query_id: [presentation.encode()]})}


def change_value(presentation: SdJwt, value: str) -> SdJwt:
    """Return the presentation with another value in its first disclosure."""
    first, *others = presentation.disclosures
    salt, name, _ = json.loads(decode_base64url(first.encoded))
    text = encode_base64url(json.dumps([salt, name, value]).encode())
    changed = Disclosure(salt=salt, name=name, value=value, encoded=text)
    return replace(presentation, disclosures=(changed, *others))


def sign_as_stranger(presentation: SdJwt) -> SdJwt:
    """Return the presentation, bound anew with the key of somebody else's wallet."""
    assert presentation.key_binding_jwt is not None
    claims = parse_compact(presentation.key_binding_jwt).unverified_payload
    extra: JsonObject = {
        name: claims[name] for name in claims.keys() - {"aud", "nonce", "iat", "sd_hash"}
    }
    issued_at = claims["iat"]
    assert isinstance(issued_at, int)
    return sign_key_binding(
        replace(presentation, key_binding_jwt=None),
        hash_algorithm="sha-256",
        holder_key=generate_key(),
        audience=str(claims["aud"]),
        nonce=str(claims["nonce"]),
        issued_at=issued_at,
        extra_claims=extra,
    )
