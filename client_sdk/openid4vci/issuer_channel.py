"""Requests to an issuer with a wallet's proofs: DPoP (RFC 9449) and wallet attestation (HAIP 1.0).

A server that wants its nonce or challenge answered says so once; the request is then sent again.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from client_sdk.credentials.jose import Key
from client_sdk.errors import TransportError
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.openid4vci.client_attestation import WalletAttestation
from client_sdk.openid4vci.dpop import HEADER, NONCE_HEADER, sign_dpop_proof
from client_sdk.openid4vci.server_metadata import ServerMetadata
from client_sdk.openid4vci.signed_metadata import MetadataTrust

CHALLENGE_HEADER: Final = "OAuth-Client-Attestation-Challenge"
_FORM: Final = "application/x-www-form-urlencoded"
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletProofs:
    """What a wallet proves itself by. Its repr shows no key.

    Attributes:
        now_s: Seconds since 1970-01-01 UTC.
        dpop_key: The private key that access tokens are bound to; None for none.
        attestation: What says which wallet it is, shown where it is taken; None for none.
        trust: Who must vouch for what the issuer publishes of itself; None for nobody.
    """

    now_s: int = 0
    dpop_key: Key | None = field(default=None, repr=False)
    attestation: WalletAttestation | None = None
    trust: MetadataTrust | None = None

    def attestation_for(self, server: ServerMetadata) -> WalletAttestation | None:
        """Return what a server is shown of which wallet it is; None where it takes nothing."""
        return self.attestation if server.takes_attestations else None


NO_PROOFS: Final = WalletProofs()


def post_to_server(
    http: HttpClient, server: ServerMetadata, url: str, form: dict[str, str], proofs: WalletProofs
) -> HttpAnswer:
    """Send a form to an authorization server's endpoint.

    Raises:
        TransportError: The server cannot be reached.
    """
    attestation = proofs.attestation_for(server)
    challenge = None if attestation is None else _fetch_challenge(http, server)
    nonce = None
    body = urlencode(form).encode("ascii")
    # Once for the first try, once for the nonce, once for the challenge.
    for _ in range(3):
        headers = {"Content-Type": _FORM}
        if attestation is not None:
            headers |= attestation.sign_headers(
                audience=server.issuer,
                proof_id=_new_id(),
                challenge=challenge,
                now_s=proofs.now_s,
            )
        if server.binds_tokens:
            headers |= _dpop(proofs, url, nonce, None)
        answer = http.send("POST", url, body=body, headers=headers)
        match _error_of(answer):
            case "use_dpop_nonce":
                nonce = answer.headers.get(NONCE_HEADER.lower())
            case "use_attestation_challenge":
                challenge = answer.headers.get(CHALLENGE_HEADER.lower())
            case _:
                break
    return answer


def post_with_token(
    http: HttpClient,
    url: str,
    body: bytes,
    *,
    content_type: str,
    token: str,
    proofs: WalletProofs,
) -> HttpAnswer:
    """Send a request with an access token, bound to the wallet's key where it has one.

    Raises:
        TransportError: The server cannot be reached.
    """
    scheme = "Bearer" if proofs.dpop_key is None else "DPoP"
    headers = {"Content-Type": content_type, "Authorization": f"{scheme} {token}"}
    answer = http.send(
        "POST", url, body=body, headers={**headers, **_dpop(proofs, url, None, token)}
    )
    nonce = answer.headers.get(NONCE_HEADER.lower())
    if proofs.dpop_key is None or nonce is None or _error_of(answer) != "use_dpop_nonce":
        return answer
    return http.send(
        "POST", url, body=body, headers={**headers, **_dpop(proofs, url, nonce, token)}
    )


def _dpop(proofs: WalletProofs, url: str, nonce: str | None, token: str | None) -> dict[str, str]:
    if proofs.dpop_key is None:
        return {}
    proof = sign_dpop_proof(
        proofs.dpop_key,
        method="POST",
        url=url,
        proof_id=_new_id(),
        now_s=proofs.now_s,
        nonce=nonce,
        access_token=token,
    )
    return {HEADER: proof}


def _fetch_challenge(http: HttpClient, server: ServerMetadata) -> str | None:
    if server.challenge_endpoint is None:
        return None
    answer = http.post_form(server.challenge_endpoint, {})
    challenge = answer.json().get("attestation_challenge") if answer.status == 200 else None
    if not isinstance(challenge, str):
        raise TransportError("the authorization server gives no challenge")
    return challenge


def _error_of(answer: HttpAnswer) -> str | None:
    """Return the error code of a refusal, as the body or the challenge has it."""
    if answer.status not in (400, 401):
        return None
    try:
        code = answer.json().get("error")
    except TransportError:
        code = None
    if isinstance(code, str):
        return code
    return (
        "use_dpop_nonce" if "use_dpop_nonce" in answer.headers.get("www-authenticate", "") else None
    )


def _new_id() -> str:
    return secrets.token_urlsafe(_ID_BYTES)
