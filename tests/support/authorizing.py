"""A wallet's side of the authorization code flow, step by step, as a test wants it."""

import re
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import requests
from support.issuer_world import IssuerWorld
from werkzeug.test import TestResponse

from client_sdk.credentials.jose import ES256, Key, generate_key
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.openid4vci.authorization import challenge_of
from client_sdk.openid4vci.client_attestation import WalletAttestation
from client_sdk.openid4vci.dpop import sign_dpop_proof

VERIFIER: Final = "v" * 43
REDIRECT_URI: Final = "http://127.0.0.1:8765/callback"
_CSRF_TOKEN: Final = re.compile(r'name="csrf_token" value="([^"]+)"')


class Authorizing:
    """One wallet at one issuer."""

    def __init__(
        self,
        world: IssuerWorld,
        *,
        attestation: WalletAttestation | None = None,
        dpop_key: Key | None = None,
        redirect_uri: str = REDIRECT_URI,
    ) -> None:
        self.world = world
        self.attestation = attestation
        self.dpop_key = dpop_key
        self.redirect_uri = redirect_uri
        self.client_id = attestation.client_id if attestation else "tegata-wallet"
        self.offer = world.make_offer()
        reference = world.http.get(f"/offers/{self.offer['id']}").get_json()
        self.issuer_state = str(reference["grants"]["authorization_code"]["issuer_state"])
        self._ids = 0
        self._csrf_token = ""

    def parameters(self, **changes: object) -> dict[str, Any]:
        whole = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": "st4te",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "scope": RESIDENT_CREDENTIAL_TYPE,
            "issuer_state": self.issuer_state,
        }
        return {name: value for name, value in {**whole, **changes}.items() if value is not None}

    def dpop(self, path: str, key: Key | None = None, **changes: Any) -> dict[str, str]:
        key = key or self.dpop_key
        if key is None:
            return {}
        self._ids += 1
        fields: dict[str, Any] = {
            "method": "POST",
            "url": f"{self.world.config.public_url}{path}",
            "proof_id": f"proof-{id(self)}-{self._ids}",
            "now_s": self.world.clock() // 1000,
            "nonce": self.dpop_nonce() if self.world.config.haip else None,
        }
        return {"DPoP": sign_dpop_proof(key, **{**fields, **changes})}

    def dpop_nonce(self) -> str:
        return self.world.http.post("/nonce").headers["DPoP-Nonce"]

    def attested(
        self, attestation: WalletAttestation | None = None, **changes: Any
    ) -> dict[str, str]:
        attestation = attestation or self.attestation
        if attestation is None:
            return {}
        self._ids += 1
        challenge = self.world.http.post("/challenge").get_json()["attestation_challenge"]
        fields: dict[str, Any] = {
            "audience": self.world.config.public_url,
            "proof_id": f"pop-{id(self)}-{self._ids}",
            "challenge": challenge,
            "now_s": self.world.clock() // 1000,
        }
        return attestation.sign_headers(**{**fields, **changes})

    def push(self, headers: dict[str, str] | None = None, **changes: object) -> TestResponse:
        if headers is None:
            headers = {**self.attested(), **self.dpop("/par")}
        return self.world.http.post("/par", data=self.parameters(**changes), headers=headers)

    def pushed(self, **changes: object) -> str:
        answer = self.push(**changes)
        assert answer.status_code == 201, answer.text
        return str(answer.get_json()["request_uri"])

    def page(self, request_uri: str, client_id: str | None = None) -> TestResponse:
        query = {"client_id": client_id or self.client_id, "request_uri": request_uri}
        return self.world.http.get(f"/authorize?{urlencode(query)}")

    def decide(self, request_uri: str, decision: str = "approve", **typed: str) -> TestResponse:
        if found := _CSRF_TOKEN.search(self.page(request_uri).text):
            self._csrf_token = found[1]
        form = {
            "csrf_token": self._csrf_token,
            "client_id": self.client_id,
            "request_uri": request_uri,
            "decision": decision,
            **(typed or {"tx_code": self.offer["tx_code"]}),
        }
        return self.world.http.post("/authorize", data=form)

    def back(self, answer: TestResponse) -> dict[str, str]:
        assert answer.status_code == 302, answer.text
        target = urlsplit(answer.headers["Location"])
        assert answer.headers["Location"].startswith(self.redirect_uri)
        return dict(parse_qsl(target.query))

    def code(self, **changes: object) -> str:
        return self.back(self.decide(self.pushed(**changes)))["code"]

    def token(
        self, code: str, headers: dict[str, str] | None = None, /, **changes: object
    ) -> TestResponse:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "code_verifier": VERIFIER,
            **changes,
        }
        if headers is None:
            headers = {**self.attested(), **self.dpop("/token")}
        form = {name: value for name, value in form.items() if value is not None}
        return self.world.http.post("/token", data=form, headers=headers)

    def credential(
        self, token: str, headers: dict[str, str] | None = None, **changes: object
    ) -> TestResponse:
        proof = self.world.proof(generate_key(ES256), self.world.nonce())
        body = {
            "credential_configuration_id": "resident",
            "proofs": {"jwt": [proof]},
            **changes,
        }
        body = {name: value for name, value in body.items() if value is not None}
        if headers is None:
            scheme = "DPoP" if self.dpop_key else "Bearer"
            headers = {
                "Authorization": f"{scheme} {token}",
                **self.dpop("/credential", access_token=token),
            }
        return self.world.http.post("/credential", json=body, headers=headers)


def answer_page(url: str, **typed: str) -> str:
    """Do what a holder does at the issuer's page; return where the browser goes back to."""
    with requests.Session() as browser:
        page = browser.get(url, timeout=60)
        token = _CSRF_TOKEN.search(page.text)
        assert token, page.text
        query = dict(parse_qsl(urlsplit(url).query))
        form = {**query, "csrf_token": token[1], "decision": "approve", **typed}
        address = url.partition("?")[0]
        answer = browser.post(address, data=form, allow_redirects=False, timeout=60)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)
