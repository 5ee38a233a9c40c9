"""What an attacker does with a wallet's answer: change it, send it again, sign it anew."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from client_sdk.credentials.jose import generate_key, parse_compact
from client_sdk.credentials.sd_jwt import Disclosure, SdJwt, parse_sd_jwt
from client_sdk.credentials.sd_jwt_key_binding import sign_key_binding
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import build_response
from client_sdk.wallet import Wallet

_ACCEPTED: Final = HttpAnswer(status=200, media_type="application/json", body=b"{}")


class TappedLine(HttpClient):
    """A connection whose answers to verifiers are kept by an attacker and never arrive.

    Attributes:
        kept: Where the last answer was going, and its form fields.
    """

    kept: tuple[str, dict[str, str]]

    def post_form(
        self, url: str, form: Mapping[str, str], *, accept: str = "application/json"
    ) -> HttpAnswer:
        """Keep what would be sent; what is fetched by a form goes on."""
        if accept != "application/json":
            return super().post_form(url, form, accept=accept)
        self.kept = (url, dict(form))
        return _ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class StolenAnswer:
    """An answer of the resident's wallet, before it was encrypted for the verifier.

    Attributes:
        request: What it answers.
        presentation: The one presentation in it.
    """

    request: PresentationRequest
    presentation: SdJwt

    def form(self) -> dict[str, str]:
        """Return the form to post, encrypted as the request asks."""
        (query,) = self.request.query.credentials
        return build_response({query.id: [self.presentation.encode()]}, request=self.request)


def steal_answer(wallet: Wallet, line: TappedLine, link: str) -> StolenAnswer:
    """Let a wallet that talks over `line` answer a request in the clear, and keep the answer.

    On the way to the verifier nobody can read it: this attacker sits in the wallet itself.
    """
    pending = wallet.presentation.read_request(link)
    request = pending.request.request
    in_the_clear = replace(pending.request, request=replace(request, encryption=None))
    wallet.presentation.answer(replace(pending, request=in_the_clear))
    _, form = line.kept
    ((presentation,),) = json.loads(form["vp_token"]).values()
    return StolenAnswer(request=request, presentation=parse_sd_jwt(presentation))


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
