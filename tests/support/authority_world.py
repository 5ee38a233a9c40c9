"""Two authorities that share an issuer's key, in this process."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flask.testing import FlaskClient
from support.memory_ledger import START_MS
from support.threshold import deal

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    generate_key,
    parse_public_jwk,
    thumbprint,
)
from client_sdk.credentials.sd_jwt_vc import issue_credential
from client_sdk.errors import NotEnoughSignersError
from client_sdk.frost.keys import KeyShare
from client_sdk.frost.signing import SignatureShare, SigningCommitment, SigningPackage, aggregate
from client_sdk.http.request_signature import RequestSigner
from client_sdk.issuer.authority_client import ISSUER, group_jwk
from client_sdk.ledger.grants import new_record_id, new_salt
from node.authority.app import create_app
from node.authority.config import AuthorityConfig
from node.authority.store import AuthorityStore

TOKEN: Final = "token-of-the-issuer"
ISSUER_URL: Final = "https://issuer.example"
ISSUER_ACCOUNT: Final = "aoba_city@issuer"
LEDGER_ID: Final = "ab" * 32
VCT: Final = "urn:tegata:credential:resident:1"
NOW_S: Final = START_MS // 1000
ATTRIBUTES: Final[JsonObject] = {
    "name": "青葉 花子",
    "address": "青葉区一番町 3-7-1",
    "sex": "2",
}


class RefusedError(Exception):
    """An authority's answer that is no signature."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["detail"])
        self.code = answer["code"]


class Authorities:
    """Two authorities in this process, and an issuer that signs through both: a `Key`'s place."""

    def __init__(
        self,
        folder: Path,
        *,
        issuer_url: str = ISSUER_URL,
        issuer_account: str = ISSUER_ACCOUNT,
        ledger_id: str = LEDGER_ID,
        now_ms: Callable[[], int] = lambda: START_MS,
    ) -> None:
        self._terms = (issuer_url, issuer_account, ledger_id)
        self._now_ms = now_ms
        self.is_reachable = True
        self.shares = deal(2, 2)
        self.stores = {i: AuthorityStore(f"sqlite:///{folder}/{i}.db") for i in self.shares}
        self.http = {i: self._make(i, share) for i, share in self.shares.items()}
        self.group = self.shares[1].group
        self.public_key: Key = parse_public_jwk(group_jwk(self.group))

    def _make(self, identifier: int, share: KeyShare) -> FlaskClient:
        issuer_url, issuer_account, ledger_id = self._terms
        config = AuthorityConfig(
            share_file=Path("unused"),
            issuer_token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(),
            issuer_url=issuer_url,
            issuer_account=issuer_account,
            ledger_id=ledger_id,
        )
        store = self.stores[identifier]
        return create_app(config, store=store, share=share, now_ms=self._now_ms).test_client()

    def post(self, identifier: int, path: str, body: JsonObject, token: str = TOKEN) -> Any:
        data = json.dumps(body).encode()
        headers = RequestSigner(ISSUER, token).headers("POST", f"http://localhost{path}", data)
        answer = self.http[identifier].post(
            path, data=data, headers=headers, content_type="application/json"
        )
        if not answer.is_json or answer.status_code >= 300:
            raise RefusedError(answer.get_json())
        return answer.get_json()

    def begin(self) -> tuple[dict[int, str], list[JsonObject]]:
        begun = {i: self.post(i, "/commitments", {}) for i in self.shares}
        return {i: each["session"] for i, each in begun.items()}, [
            each["commitment"] for each in begun.values()
        ]

    def sign(self, signing_input: bytes, disclosures: tuple[str, ...]) -> bytes:
        if not self.is_reachable:
            raise NotEnoughSignersError("2 signers are needed", left_out=())
        sessions, commitments = self.begin()
        parts = []
        for i, session in sessions.items():
            body: JsonObject = {
                "session": session,
                "commitments": [*commitments],
                "signing_input": signing_input.decode(),
                "disclosures": [*disclosures],
            }
            parts.append(SignatureShare.from_fields(self.post(i, "/signature-shares", body)))
        package = SigningPackage(
            payload=signing_input,
            commitments=tuple(SigningCommitment.from_fields(each) for each in commitments),
        )
        return aggregate(self.group, package, parts)

    def issue(self, record_id: str | None = None, **changes: Any) -> str:
        place = {
            "ledger": LEDGER_ID,
            "issuer": ISSUER_ACCOUNT,
            "record": record_id or new_record_id(),
            "salt": new_salt(),
            **changes.pop("place", {}),
        }
        claims = {**ATTRIBUTES, "tegata": place, **changes.pop("claims", {})}
        fields: dict[str, Any] = {
            "concealed": [(name,) for name in claims if name not in ("tegata", "status")],
            "vct": VCT,
            "issuer": ISSUER_URL,
            "issued_at": NOW_S,
            "expires_at": NOW_S + 86_400,
            "holder_key": export_public_jwk(generate_key()),
            "header": {"kid": thumbprint(self.public_key)},
            **changes,
        }
        return issue_credential(claims=claims, issuer_key=self, **fields)
