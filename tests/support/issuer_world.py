"""A city's issuer service over a ledger in memory, and a wallet's requests to it."""

import base64
import hashlib
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any, Final

from flask import Flask
from support.memory_ledger import START_MS, MemoryLedger
from werkzeug.test import TestResponse

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.records import IssuerRecord
from client_sdk.credentials.jose import Key, export_public_jwk, generate_key
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.credentials.sd_jwt_vc import CredentialSigner, public_key_of
from client_sdk.http.client import HttpClient
from client_sdk.issuer import register_issuer
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vci.account_enrolment import account_name, enrolment_message
from client_sdk.openid4vci.credential_offer import (
    PRE_AUTHORIZED_CODE,
    OfferReference,
    parse_offer_link,
)
from client_sdk.openid4vci.key_proof import sign_key_proof
from node.config import LedgerAccess
from node.issuer.app import create_app
from node.issuer.config import IssuerConfig
from node.issuer.store import IssuerStore

ISSUER: Final = "aoba_city@issuer"
OPERATOR_TOKEN: Final = "operator-token-of-the-test"
JPEG: Final = b"\xff\xd8\xff\xe0 a portrait \xff\xd9"
RESIDENT: Final = {
    "name": "青葉 花子",
    "address": "仙台市青葉区一番町三丁目7番1号",
    "municipality": "仙台市",
    "birth_date": "1990-04-01",
    "sex": "2",
    "portrait": base64.b64encode(JPEG).decode(),
}


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, *, seconds: int) -> None:
        self.now_ms += seconds * 1000


class IssuerWorld:
    """The service, its store, its ledger and its clock."""

    def __init__(
        self,
        folder: Path,
        *,
        public_url: str = "https://issuer.example",
        signer_on: Callable[[str], Key | CredentialSigner] = lambda _ledger_id: generate_key(),
        database_url: str | None = None,
        face_http: HttpClient | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or Clock()
        self._face_http = face_http
        self.ledger = MemoryLedger.tegata(clock=self.clock)
        self.ledger.add_account(ISSUER)
        registry = self.ledger.client(REGISTRY_ACCOUNT)
        self.ledger_id = registry.ledger_id()
        self.signer = signer_on(self.ledger_id)
        self.signing_key = public_key_of(self.signer)
        self.record = IssuerRecord(
            issuer=ISSUER,
            credential_types=(RESIDENT_CREDENTIAL_TYPE,),
            keys=(export_public_jwk(self.signing_key),),
            state="active",
        )
        self.issuer_record = register_issuer(registry, self.record)
        self.database = folder / "issuer.db"
        self.database_url = database_url or f"sqlite:///{self.database}"
        self.store = IssuerStore(self.database_url)
        self.config = IssuerConfig(
            public_url=public_url,
            operator_token_sha256=hashlib.sha256(OPERATOR_TOKEN.encode()).hexdigest(),
            signing_key_file=folder / "signing.jwk",
            issuer_record=self.issuer_record,
            ledger=LedgerAccess(
                address="memory.invalid:1",
                account=ISSUER,
                private_key_file=folder / "account.priv",
                ledger_id=self.ledger_id,
            ),
            **settings,
        )
        self.nonce_key = generate_key()
        self.restart()

    def another_instance(self) -> "IssuerWorld":
        """Return a second instance of the service, on the same database."""
        other = copy(self)
        other.store = IssuerStore(self.database_url)
        other.restart()
        return other

    def bytes_at_rest(self) -> bytes:
        """Return what stands on the disk of its SQLite database."""
        return b"".join(
            file.read_bytes() for file in self.database.parent.glob(f"{self.database.name}*")
        )

    def restart(self) -> None:
        """Make the service anew over what it keeps."""
        self.app: Flask = create_app(
            self.config,
            store=self.store,
            ledger=self.ledger.client(ISSUER),
            signing_key=self.signer,
            nonce_key=self.nonce_key,
            session_key=bytes(32),
            http=self._face_http,
            now_ms=self.clock,
        )
        self.http = self.app.test_client()

    def operator(self, path: str, body: object = None, *, method: str = "POST") -> TestResponse:
        headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        return self.http.open(path, method=method, json=body, headers=headers)

    def make_offer(self, **changes: object) -> dict[str, Any]:
        body = {"attributes": {**RESIDENT, **changes}, "reference": "case-1"}
        answer = self.operator("/offers", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def code_of(self, offer: dict[str, Any]) -> str:
        reference = parse_offer_link(offer["link"])
        assert isinstance(reference, OfferReference)
        path = reference.uri.removeprefix(self.config.public_url)
        grants = self.http.get(path).get_json()["grants"]
        return str(grants[PRE_AUTHORIZED_CODE]["pre-authorized_code"])

    def redeem(self, code: str, tx_code: str) -> TestResponse:
        form = {
            "grant_type": PRE_AUTHORIZED_CODE,
            "pre-authorized_code": code,
            "tx_code": tx_code,
        }
        return self.http.post("/token", data=form)

    def token(self) -> str:
        offer = self.make_offer()
        answer = self.redeem(self.code_of(offer), offer["tx_code"])
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["access_token"])

    def nonce(self) -> str:
        return str(self.http.post("/nonce").get_json()["c_nonce"])

    def proof(
        self,
        holder_key: Key,
        nonce: str,
        *,
        audience: str | None = None,
        account: str | None = None,
    ) -> str:
        return sign_key_proof(
            holder_key=holder_key,
            issuer_url=audience or self.config.public_url,
            nonce=nonce,
            issued_at=self.clock() // 1000,
            account=account,
        )

    def request_credential(self, token: str, *proofs: str, **changes: object) -> TestResponse:
        body = {
            "credential_configuration_id": "resident",
            "proofs": {"jwt": list(proofs)},
            **changes,
        }
        headers = {"Authorization": f"Bearer {token}"}
        return self.http.post("/credential", json=body, headers=headers)

    def issue(self, holder_key: Key | None = None, *, account: str | None = None) -> str:
        key = holder_key or generate_key()
        proof = self.proof(key, self.nonce(), account=account)
        answer = self.request_credential(self.token(), proof)
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["credentials"][0]["credential"])

    def enrol(
        self,
        code: str,
        key: AccountKey,
        *,
        change: Callable[[dict[str, str]], None] = lambda _body: None,
    ) -> TestResponse:

        account_id = f"{account_name(code, key.public_key)}@{self.config.holder_domain}"
        message = enrolment_message(
            issuer_url=self.config.public_url,
            account_id=account_id,
            public_key=key.public_key,
            enrolment_code=code,
        )
        body = {
            "enrolment_code": code,
            "account_id": account_id,
            "public_key": key.public_key,
            "proof": key.sign(message),
        }
        change(body)
        return self.http.post("/accounts", json=body)

    def enrolment_code(self) -> str:
        return str(self.operator("/enrolments").get_json()["code"])
