"""An authority's signer: it signs its issuer's credentials, whole and within its terms, only."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.authority_world import (
    ATTRIBUTES,
    ISSUER_URL,
    NOW_S,
    TOKEN,
    Authorities,
    RefusedError,
)
from support.threshold import SHA3, deal

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import thumbprint, verify_compact
from client_sdk.credentials.token_status_list import (
    Status,
    StatusList,
    sign_status_list,
    verify_status_list,
)
from client_sdk.errors import FrostFormatError
from client_sdk.http.request_signature import RequestSigner
from client_sdk.issuer.authority_client import ISSUER, AuthorityClient, ThresholdSigner
from client_sdk.ledger.grants import new_record_id
from node.authority.policy import SignedPlace
from node.authority.status_policy import ListToSign
from node.authority.store import AuthorityStore
from node.errors import StorageError

LIST_ID = "1" * 32


def listed(index: Any, list_id: str = LIST_ID) -> JsonObject:
    uri = f"{ISSUER_URL}/status-lists/{list_id}"
    return {"status": {"status_list": {"idx": index, "uri": uri}}}


@pytest.fixture
def authorities(tmp_path: Path) -> Authorities:
    return Authorities(tmp_path)


def test_a_credential_of_the_issuer_is_signed(authorities: Authorities) -> None:
    for changes in (
        {},
        {"place": {"account": "h4f2@holder"}},
        {"place": {"status": LIST_ID}, "claims": listed(7)},
    ):
        credential = authorities.issue(**changes)
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
    "status alone": ({"claims": {"status": {}}}, "in no list"),
    "list alone": ({"place": {"status": "1" * 32}}, "in no list"),
    "another's list": (
        {
            "place": {"status": "1" * 32},
            "claims": {
                "status": {"status_list": {"idx": 1, "uri": "https://other.example/status-lists"}}
            },
        },
        "in no list",
    ),
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


def test_one_place_in_a_list_has_one_credential(authorities: Authorities) -> None:
    """Two in one place would be revoked together, and known to belong together."""
    authorities.issue(place={"status": LIST_ID}, claims=listed(7))
    with pytest.raises(RefusedError, match="place in its list"):
        authorities.issue(place={"status": LIST_ID}, claims=listed(7))
    authorities.issue(place={"status": LIST_ID}, claims=listed(8))
    other = "2" * 32
    authorities.issue(place={"status": other}, claims=listed(7, other))


def statuses(**changes: int) -> StatusList:
    made = StatusList.of_size(131_072, bits=2)
    for name, status in changes.items():
        made[int(name.removeprefix("at_"))] = status
    return made


def sign_list(authorities: Authorities, made: StatusList, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "uri": f"{ISSUER_URL}/status-lists/{LIST_ID}",
        "issued_at": NOW_S,
        "expires_at": NOW_S + 900,
        "ttl_s": 300,
        "header": {"kid": thumbprint(authorities.public_key)},
        **changes,
    }
    signer: Any = authorities
    return sign_status_list(made, issuer_key=signer, **fields)


def test_a_status_list_of_the_issuer_is_signed(authorities: Authorities) -> None:
    token = verify_status_list(
        sign_list(authorities, statuses(at_3=Status.INVALID)),
        issuer_key=authorities.public_key,
        expected_uri=f"{ISSUER_URL}/status-lists/{LIST_ID}",
        now_s=NOW_S,
        leeway_s=0,
    )
    assert token.statuses[3] == Status.INVALID


def test_no_revocation_is_taken_back(authorities: Authorities) -> None:
    sign_list(authorities, statuses(at_3=Status.SUSPENDED))
    sign_list(authorities, statuses())
    sign_list(authorities, statuses(at_3=Status.INVALID))
    sign_list(authorities, statuses(at_3=Status.INVALID, at_4=Status.INVALID))
    for made in (
        statuses(at_4=Status.INVALID),
        statuses(at_3=Status.SUSPENDED, at_4=Status.INVALID),
        statuses(at_3=3, at_4=Status.INVALID),
        StatusList.of_size(262_144, bits=2),
    ):
        with pytest.raises(RefusedError, match="takes a revocation back"):
            sign_list(authorities, made)
    # Of another list nothing is known yet.
    other = f"{ISSUER_URL}/status-lists/{'2' * 32}"
    sign_list(authorities, statuses(at_4=Status.INVALID), uri=other)


LIST_REFUSALS: dict[str, tuple[StatusList, dict[str, Any], str]] = {
    "elsewhere": (statuses(), {"uri": "https://other.example/status-lists/1"}, "elsewhere"),
    "no id": (statuses(), {"uri": f"{ISSUER_URL}/status-lists/1"}, "elsewhere"),
    "old": (statuses(), {"issued_at": NOW_S - 301}, "not issued now"),
    "too long": (statuses(), {"expires_at": NOW_S + 4 * 86_400}, "good for longer"),
    "endless": (statuses(), {"expires_at": None}, "good for longer"),
    "no ttl": (statuses(), {"ttl_s": None}, "says more"),
    "kid": (statuses(), {"header": {"kid": "another"}}, "its header"),
    "more header": (statuses(), {"header": {"kid": "x", "x5c": []}}, "its header"),
    "small": (StatusList.of_size(1024, bits=2), {}, "fewer than"),
    "one bit": (StatusList.of_size(262_144, bits=1), {}, "two bits"),
}


@pytest.mark.parametrize(
    ("made", "changes", "reason"), LIST_REFUSALS.values(), ids=[*LIST_REFUSALS]
)
def test_any_other_status_list_is_refused(
    authorities: Authorities, made: StatusList, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        sign_list(authorities, made, **changes)


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
    for use in (
        store.count,
        lambda: store.record(SignedPlace(record_id="a"), "b", now_ms=1),
        lambda: store.record_list(ListToSign(list_id="a", packed=b""), now_ms=1),
    ):
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
