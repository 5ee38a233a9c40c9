"""An issuer's service that does what a test wants, right or wrong."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug import Request, Response

from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    generate_key,
    parse_compact,
    thumbprint,
)
from client_sdk.credentials.sd_jwt_vc import issue_credential
from client_sdk.openid4vci.credential_offer import CredentialOffer, build_offer_link
from client_sdk.openid4vci.issuer_metadata import build_key_metadata
from node.web.server import WebServer

NOW_MS = 1_800_000_000_000
Answer = Callable[[Request], Response]


@contextmanager
def served(app: Callable[..., Any]) -> Iterator[str]:
    """Serve a WSGI application on loopback; give its URL."""
    server = WebServer(app, "127.0.0.1:0", threads=2)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://{server.address}"
    finally:
        server.stop()
        thread.join()


class OddIssuer:
    """An issuer whose answers a test replaces, one by one; by default all are right."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.signing_key = generate_key()
        self.issuer = url
        self.kid = thumbprint(self.signing_key)
        self.bound_to: Key | None = None
        self.place: object = {"issuer": "city@issuer", "record": "ab" * 16}
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.metadata: dict[str, Any] = {
            "credential_issuer": url,
            "credential_endpoint": f"{url}/credential",
            "nonce_endpoint": f"{url}/nonce",
            "credential_configurations_supported": {
                "resident": {"format": "dc+sd-jwt", "vct": "urn:x"}
            },
        }
        self.server: dict[str, Any] = {"issuer": url, "token_endpoint": f"{url}/token"}
        self.token: dict[str, Any] = {"access_token": "t0ken", "token_type": "bearer"}

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        request = Request(environ)
        request.get_data()
        self.requests.append(request)
        answer = self.answers.get(request.path, self._right_answer)
        return answer(request)(environ, start)

    def _right_answer(self, request: Request) -> Response:
        right: dict[str, Callable[[], dict[str, Any]]] = {
            "/.well-known/openid-credential-issuer": lambda: self.metadata,
            "/.well-known/oauth-authorization-server": lambda: self.server,
            "/.well-known/jwt-vc-issuer": lambda: build_key_metadata(self.url, (self.signing_key,)),
            "/token": lambda: self.token,
            "/nonce": lambda: {"c_nonce": "n0nce"},
            "/credential": lambda: {"credentials": [{"credential": self.credential(request)}]},
        }
        return answered(right[request.path]())

    def credential(self, request: Request) -> str:
        proof = json.loads(request.get_data())["proofs"]["jwt"][0]
        jwk = parse_compact(proof).unverified_header["jwk"]
        return self._sign(export_public_jwk(self.bound_to) if self.bound_to else jwk)

    def credential_for(self, key: Key) -> str:
        return self._sign(export_public_jwk(key))

    def _sign(self, jwk: Any) -> str:
        return issue_credential(
            claims={"name": "Hanako", "tegata": self.place},
            concealed=(("name",),),
            vct="urn:x",
            issuer=self.issuer,
            issuer_key=self.signing_key,
            issued_at=NOW_MS // 1000,
            expires_at=NOW_MS // 1000 + 60,
            holder_key=jwk,
            header={"kid": self.kid},
        )

    def offer(self, **changes: Any) -> str:
        fields: dict[str, Any] = {
            "credential_issuer": self.url,
            "configuration_ids": ("resident",),
            "pre_authorized_code": "c0de-of-the-offer",
            **changes,
        }
        return build_offer_link(CredentialOffer(**fields))


def answered(fields: object, status: int = 200, **headers: str) -> Response:
    return Response(json.dumps(fields), status, headers, content_type="application/json")


@contextmanager
def odd_issuer() -> Iterator[OddIssuer]:
    """Serve an odd issuer on loopback."""
    issuers: list[OddIssuer] = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        return issuers[0](environ, start)

    with served(app) as url:
        issuers.append(OddIssuer(url))
        yield issuers[0]
