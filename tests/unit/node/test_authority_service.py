"""An authority's signer: it signs its issuer's credentials, whole and within its terms, only."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.memory_ledger import START_MS
from support.threshold import SHA3, deal

from chaincode.encoding import JsonObject
from client_sdk.authority_client import ISSUER, AuthorityClient, ThresholdSigner, group_jwk
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    generate_key,
    parse_public_jwk,
    thumbprint,
    verify_compact,
)
from client_sdk.credentials.sd_jwt_vc import issue_credential
from client_sdk.errors import FrostFormatError
from client_sdk.frost.keys import KeyShare
from client_sdk.frost.signing import SignatureShare, SigningCommitment, SigningPackage, aggregate
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.request_signature import RequestSigner
from node.authority.app import create_app
from node.authority.config import AuthorityConfig
from node.authority.store import AuthorityStore
from node.errors import StorageError

TOKEN = "token-of-the-issuer"
ISSUER_URL, ISSUER_ACCOUNT, LEDGER_ID = "https://issuer.example", "aoba_city@issuer", "ab" * 32
VCT = "urn:tegata:credential:resident:1"
NOW_S = START_MS // 1000
ATTRIBUTES: JsonObject = {"name": "青葉 花子", "address": "青葉区一番町 3-7-1", "sex": "2"}


class RefusedError(Exception):
    """An authority's answer that is no signature."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["detail"])
        self.code = answer["code"]


class Authorities:
    """Two authorities in this process, and an issuer that signs through both: a `Key`'s place."""

    def __init__(self, folder: Path) -> None:
        self.shares = deal(2, 2)
        self.stores = {i: AuthorityStore(f"sqlite:///{folder}/{i}.db") for i in self.shares}
        self.http = {i: self._make(i, share) for i, share in self.shares.items()}
        self.group = self.shares[1].group
        self.public_key: Key = parse_public_jwk(group_jwk(self.group))

    def _make(self, identifier: int, share: KeyShare) -> FlaskClient:
        config = AuthorityConfig(
            share_file=Path("unused"),
            issuer_token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(),
            issuer_url=ISSUER_URL,
            issuer_account=ISSUER_ACCOUNT,
            ledger_id=LEDGER_ID,
        )
        store = self.stores[identifier]
        return create_app(config, store=store, share=share, now_ms=lambda: START_MS).test_client()

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
            "concealed": [(name,) for name in claims if name != "tegata"],
            "vct": VCT,
            "issuer": ISSUER_URL,
            "issued_at": NOW_S,
            "expires_at": NOW_S + 86_400,
            "holder_key": export_public_jwk(generate_key()),
            "header": {"kid": thumbprint(self.public_key)},
            **changes,
        }
        return issue_credential(claims=claims, issuer_key=self, **fields)


@pytest.fixture
def authorities(tmp_path: Path) -> Authorities:
    return Authorities(tmp_path)


def test_a_credential_of_the_issuer_is_signed(authorities: Authorities) -> None:
    for changes in ({}, {"place": {"account": "h4f2@holder"}}, {"claims": {"status": {}}}):
        concealed = [(name,) for name in ATTRIBUTES]
        credential = authorities.issue(concealed=concealed, **changes)
        header, claims = verify_compact(
            credential.partition("~")[0], authorities.public_key, "dc+sd-jwt"
        )
        assert header["alg"] == "EdDSA"
        assert claims["iss"] == ISSUER_URL
    assert [store.count() for store in authorities.stores.values()] == [3, 3]


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "issuer": ({"issuer": "https://other.example"}, "another type or issuer"),
    "type": ({"vct": "urn:other"}, "another type or issuer"),
    "no holder": ({"holder_key": None}, "no holder's key"),
    "old": ({"issued_at": NOW_S - 301}, "not issued now"),
    "early": ({"issued_at": NOW_S + 301}, "not issued now"),
    "endless": ({"expires_at": None}, "lasts no time"),
    "too long": ({"expires_at": NOW_S + 367 * 86_400}, "longer than 366 days"),
    "over": ({"expires_at": NOW_S}, "lasts no time"),
    "kid": ({"header": {"kid": "another"}}, "its header"),
    "more header": ({"header": {"kid": "x", "x5c": []}}, "its header"),
    "open attribute": ({"concealed": [("name",)]}, "could not keep back"),
    "whole disclosed": ({"concealed": []}, "could not keep back"),
    "unknown claim": ({"claims": {"tracking": "1"}}, "no attributes of a resident"),
    "individual number": ({"claims": {"address": "123456789018"}}, "individual number"),
    "ledger": ({"place": {"ledger": "cd" * 32}}, "ledger account"),
    "account": ({"place": {"issuer": "other@issuer"}}, "ledger account"),
    "no text": ({"claims": {"address": {"locality": "x"}}}, "no attributes of a resident"),
    "decoys": ({"decoy_count": 1}, "no disclosure opens"),
    "record": ({"place": {"record": "1"}}, "ledger account"),
    "salt": ({"place": {"salt": 1}}, "ledger account"),
    "holder account": ({"place": {"account": "nobody"}}, "ledger account"),
    "more place": ({"place": {"more": "1"}}, "ledger account"),
}


@pytest.mark.parametrize(("changes", "reason"), REFUSALS.values(), ids=[*REFUSALS])
def test_anything_else_is_refused(
    authorities: Authorities, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason) as refusal:
        authorities.issue(**changes)
    assert refusal.value.code == "credential_refused"
    assert [store.count() for store in authorities.stores.values()] == [0, 0]


@pytest.mark.parametrize("signing_input", ["", "digest", "a.b", "e30.e30", "e30.eyJ2Y3QiOjF9"])
def test_what_cannot_be_read_is_refused(authorities: Authorities, signing_input: str) -> None:
    with pytest.raises(RefusedError, match="not a credential that can be read"):
        authorities.sign(signing_input.encode(), ())


def hide_a_disclosure(disclosures: tuple[str, ...]) -> tuple[str, ...]:
    return disclosures[1:]


def add_a_disclosure(disclosures: tuple[str, ...]) -> tuple[str, ...]:
    return (*disclosures, "WyJzYWx0IiwgIngiLCAxXQ")


@pytest.mark.parametrize("change", [hide_a_disclosure, add_a_disclosure])
def test_every_digest_must_be_opened(
    authorities: Authorities, change: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> None:
    sign = authorities.sign
    authorities.sign = lambda text, disclosures: sign(text, change(disclosures))  # type: ignore[method-assign]
    with pytest.raises(RefusedError) as refusal:
        authorities.issue()
    assert refusal.value.code == "credential_refused"


def test_one_record_has_one_credential(authorities: Authorities) -> None:
    record_id = new_record_id()
    seen: list[tuple[bytes, tuple[str, ...]]] = []
    sign = authorities.sign

    def sign_and_note(text: bytes, disclosures: tuple[str, ...]) -> bytes:
        seen.append((text, disclosures))
        return sign(text, disclosures)

    authorities.sign = sign_and_note  # type: ignore[method-assign]
    authorities.issue(record_id)
    # The same again, as after a lost answer.
    assert sign(*seen[0])
    with pytest.raises(RefusedError, match="another credential"):
        authorities.issue(record_id)
    assert authorities.stores[1].count() == 1


def test_only_the_issuer_is_answered(authorities: Authorities) -> None:
    for path in ("/commitments", "/signature-shares"):
        body: JsonObject = {
            "session": "",
            "commitments": [],
            "signing_input": "",
            "disclosures": [],
        }
        with pytest.raises(RefusedError, match="signature of the issuer"):
            authorities.post(1, path, body if "share" in path else {}, token="another")


@pytest.mark.parametrize("change", ["body", "path", "time", "caller", "no digest", "nothing"])
def test_a_request_is_signed_as_it_is(authorities: Authorities, change: str) -> None:
    """What was read along serves for no other request, and not minutes later."""
    signed_at = datetime.now(UTC) - timedelta(minutes=3 if change == "time" else 0)
    caller = "another" if change == "caller" else ISSUER
    signer = RequestSigner(caller, TOKEN, now=lambda: signed_at)
    path = "/signature-shares" if change == "path" else "/commitments"
    headers = signer.headers("POST", f"http://localhost{path}", b"{}")
    if change == "no digest":
        del headers["Content-Digest"]
    answer = authorities.http[1].post(
        "/commitments",
        data=b'{ "a": 1 }' if change == "body" else b"{}",
        headers=headers,
        content_type="application/json",
    )
    assert answer.status_code == (201 if change == "nothing" else 401)
    assert TOKEN not in str(headers)


def test_a_session_is_answered_once(authorities: Authorities) -> None:
    sessions, commitments = authorities.begin()
    sign = authorities.sign

    def sign_in_one_session(text: bytes, disclosures: tuple[str, ...]) -> bytes:
        body: JsonObject = {
            "session": sessions[1],
            "commitments": [*commitments],
            "signing_input": text.decode(),
            "disclosures": [*disclosures],
        }
        authorities.post(1, "/signature-shares", body)
        return sign(text, disclosures)

    authorities.sign = sign_in_one_session  # type: ignore[method-assign]
    authorities.issue()
    with pytest.raises(RefusedError, match="no session is answered twice"):
        authorities.issue()


def test_no_attribute_is_in_the_store_or_the_log(
    authorities: Authorities, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authorities.issue()
    with pytest.raises(RefusedError):
        authorities.issue(claims={"tracking": "canary"})
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    told = capsys.readouterr()
    for value in [*map(str, ATTRIBUTES.values()), "canary"][:2]:
        assert value.encode() not in kept
        assert value not in told.out + told.err


def test_a_store_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    store = AuthorityStore(f"sqlite:///{tmp_path}/a.db")
    store.close()
    (tmp_path / "a.db").write_bytes(b"no database" * 1000)
    for use in (store.count, lambda: store.record("a", "b", now_ms=1)):
        with pytest.raises(StorageError):
            use()


def test_a_threshold_signer_needs_a_key_that_jwts_know(tmp_path: Path) -> None:
    group = deal(2, 2, SHA3)[1].group
    with pytest.raises(FrostFormatError, match="EdDSA"):
        ThresholdSigner(group, {})
    with (
        AuthorityClient("http://127.0.0.1:1", TOKEN) as client,
        pytest.raises(FrostFormatError, match="no share"),
    ):
        ThresholdSigner(deal(2, 2)[1].group, {3: client})
