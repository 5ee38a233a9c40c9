from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from support.issuer_world import ISSUER, IssuerWorld

from chaincode.errors import RecordCode
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import BatchRecord, CredentialRecord, IdentityRecord, IssuerRecord
from client_sdk.credentials.bitstring_status_list import StatusEntry
from client_sdk.credentials.jose import export_public_jwk, generate_key, parse_compact
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.sd_jwt_vc import anchor_hash
from client_sdk.credentials.token_status_list import StatusList, StatusReference
from client_sdk.errors import (
    CredentialFormatError,
    CredentialStateError,
    TransactionFailedError,
    TransportError,
    UnknownCredentialError,
)
from client_sdk.formats import find_format
from client_sdk.issuer import Issuer, register_issuer
from client_sdk.issuer.anchor import IssuedCredential, ListPlace, SignedCredential
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.credential_place import CredentialPlace
from client_sdk.ledger.transaction_sender import CommittedTransaction

_Record = TypeVar("_Record", bound=IdentityRecord)


class RacedLedger:
    """A ledger where another writes just before this one does."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        self.before: Callable[[], None] | None = None

    def submit(self, *commands: Command) -> CommittedTransaction:
        if self.before is not None:
            before, self.before = self.before, None
            before()
        return self._client.submit(*commands)

    def record(self, account_id: str, record_id: str, kind: type[_Record]) -> _Record | None:
        return self._client.record(account_id, record_id, kind)


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    made = IssuerWorld(tmp_path)
    made.store.close()
    return made


@pytest.fixture
def ledger(world: IssuerWorld) -> RacedLedger:
    return RacedLedger(world.ledger.client(ISSUER))


@pytest.fixture
def issuer(world: IssuerWorld, ledger: RacedLedger) -> Issuer:
    return Issuer(
        ledger,
        world.ledger_id,
        account=ISSUER,
        issuer_record=world.issuer_record,
        signing_key=world.signing_key,
        issuer_url=world.config.public_url,
        now_ms=world.clock,
    )


def issue(world: IssuerWorld, issuer: Issuer, **changes: object) -> IssuedCredential:
    arguments = {
        "concealed": (("address",),),
        "credential_type": RESIDENT_CREDENTIAL_TYPE,
        "holder_key": export_public_jwk(generate_key()),
        "expires_at_ms": world.clock() + 86_400_999,
        **changes,
    }
    claims = arguments.pop("claims", {"address": "Sendai"})
    return issuer.issue(claims, **arguments)


def test_issued_credential_is_anchored(world: IssuerWorld, issuer: Issuer) -> None:
    issued = issue(world, issuer)
    record = world.ledger.client(ISSUER).record(ISSUER, issued.record_id, CredentialRecord)
    assert record == CredentialRecord(
        salted_hash=anchor_hash(parse_sd_jwt(issued.credential).issuer_jwt),
        issuer_record=world.issuer_record,
        expires_at_ms=issued.expires_at_ms,
        state="active",
    )
    assert issued.expires_at_ms == world.clock() + 86_400_000
    assert issued.credential not in repr(issued)


def test_holders_account_stands_openly_in_the_place(world: IssuerWorld, issuer: Issuer) -> None:
    for account in (None, "h4f2@holder"):
        issued = issue(world, issuer, holder_account=account)
        _, payload = parse_compact(issued.credential.partition("~")[0]).verify(
            key=world.signing_key, expected_typ="dc+sd-jwt"
        )
        names = {"ledger", "issuer", "record", "salt"} | ({"account"} if account else set())
        assert payload["tegata"].keys() == names
        assert payload["tegata"].get("account") == account


def test_nothing_is_given_out_while_the_ledger_is_away(world: IssuerWorld, issuer: Issuer) -> None:
    world.ledger.reachable = False
    with pytest.raises(TransportError):
        issue(world, issuer)


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {"tegata": {}}},
        {"claims": {"address": "1234-5678-9012"}},
        {"claims": {"address": "x", "inner": [{"number": 123456789012}]}},
        {"expires_at_ms": 1},
        {"concealed": (("nothing",),)},
    ],
)
def test_unacceptable_claims_are_refused(
    world: IssuerWorld, issuer: Issuer, changes: dict[str, object]
) -> None:
    height = len(world.ledger.blocks)
    with pytest.raises(CredentialFormatError):
        issue(world, issuer, **changes)
    assert len(world.ledger.blocks) == height


def test_states_follow_each_other(world: IssuerWorld, issuer: Issuer) -> None:
    record_id = issue(world, issuer).record_id
    issuer.suspend(record_id)
    assert issuer.state(record_id) == "suspended"
    issuer.reinstate(record_id)
    assert issuer.state(record_id) == "active"
    with pytest.raises(CredentialStateError, match="is active"):
        issuer.reinstate(record_id)
    issuer.revoke(record_id)
    for change in (issuer.suspend, issuer.reinstate, issuer.revoke):
        with pytest.raises(CredentialStateError, match="is revoked"):
            change(record_id)
    assert issuer.state(record_id) == "revoked"


@pytest.mark.parametrize("record_id", ["ab" * 16, "", "x", "../" * 10, "AB" * 16])
def test_unknown_record_is_told(issuer: Issuer, record_id: str) -> None:
    with pytest.raises(UnknownCredentialError):
        issuer.revoke(record_id)


def test_change_by_another_at_the_same_moment_is_told(
    world: IssuerWorld, issuer: Issuer, ledger: RacedLedger
) -> None:
    record_id = issue(world, issuer).record_id
    ledger.before = lambda: issuer.revoke(record_id)
    with pytest.raises(CredentialStateError, match="changed by another"):
        issuer.suspend(record_id)
    assert issuer.state(record_id) == "revoked"


def test_withdrawn_issuer_can_revoke_but_not_issue(world: IssuerWorld, issuer: Issuer) -> None:
    record_id = issue(world, issuer).record_id
    registry = world.ledger.client(REGISTRY_ACCOUNT)
    withdrawn = IssuerRecord(
        issuer=ISSUER,
        credential_types=world.record.credential_types,
        keys=world.record.keys,
        state="withdrawn",
    )
    assert register_issuer(registry, withdrawn, record_id=world.issuer_record)
    with pytest.raises(TransactionFailedError):
        issue(world, issuer)
    issuer.revoke(record_id)
    assert issuer.state(record_id) == "revoked"


def test_only_the_registry_registers(world: IssuerWorld) -> None:
    with pytest.raises(TransactionFailedError):
        register_issuer(world.ledger.client(ISSUER), world.record)


def test_registration_of_a_private_key_is_refused(world: IssuerWorld) -> None:
    record = IssuerRecord(
        issuer=ISSUER,
        credential_types=(RESIDENT_CREDENTIAL_TYPE,),
        keys=({"kty": "OKP", "crv": "Ed25519", "x": "A", "d": "secret"},),
        state="active",
    )
    with pytest.raises(CredentialFormatError, match="private") as caught:
        register_issuer(world.ledger.client(REGISTRY_ACCOUNT), record)
    assert "secret" not in str(caught.value)


LIST_ID = "1" * 32
LIST_URI = "https://issuer.example/status-lists/1"


def sign(world: IssuerWorld, issuer: Issuer, index: int) -> SignedCredential:
    return issuer.signer.sign(
        {"address": "Sendai"},
        concealed=[("address",)],
        credential_type=RESIDENT_CREDENTIAL_TYPE,
        holder_key=export_public_jwk(generate_key()),
        expires_at_ms=world.clock() + 86_400_000,
        list_place=ListPlace(list_id=LIST_ID, reference=StatusReference(index=index, uri=LIST_URI)),
    )


def test_a_batch_is_anchored_in_one_transaction(world: IssuerWorld, issuer: Issuer) -> None:
    statuses = StatusList.of_size(64, bits=2)
    issuer.anchor.anchor_status_list(LIST_ID, statuses, uri=LIST_URI, version=1)
    height = len(world.ledger.blocks)
    members = [sign(world, issuer, index) for index in range(5)]
    issued = issuer.anchor.anchor_batch(members, status_list=LIST_ID)
    assert len(world.ledger.blocks) == height + 1
    assert [one.record_id for one in issued] == [member.record_id for member in members]
    client = world.ledger.client(ISSUER)
    places = set()
    for one, member in zip(issued, members, strict=True):
        assert one.inclusion is not None
        record = client.record(ISSUER, one.inclusion.batch, BatchRecord)
        assert record is not None
        one.inclusion.check(member.salted_hash, record)
        places.add(one.inclusion.index)
        payload = parse_compact(parse_sd_jwt(one.credential).issuer_jwt).unverified_payload
        assert CredentialPlace.from_claim(payload["tegata"]).status_list == LIST_ID
        assert StatusReference.from_claim(payload["status"]) is not None
        assert client.record(ISSUER, one.record_id, CredentialRecord) is None
    assert places == set(range(5))


def test_a_batch_without_its_list_is_refused(world: IssuerWorld, issuer: Issuer) -> None:
    with pytest.raises(TransactionFailedError) as refused:
        issuer.anchor.anchor_batch([sign(world, issuer, 0)], status_list=LIST_ID)
    assert refused.value.code == RecordCode.NO_STATUS_LIST


def test_what_is_anchored_already_is_anchored(issuer: Issuer) -> None:
    statuses = StatusList.of_size(64, bits=2)
    for version in (2, 2, 1):
        issuer.anchor.anchor_status_list(LIST_ID, statuses, uri=LIST_URI, version=version)
    terms = {"count": 1, "expires_at_ms": 2**42, "status_list": LIST_ID}
    for _ in range(2):
        issuer.anchor.anchor_root("2" * 32, b"r" * 32, **terms)  # type: ignore[arg-type]
    with pytest.raises(TransactionFailedError):
        issuer.anchor.anchor_root("2" * 32, b"x" * 32, **terms)  # type: ignore[arg-type]


def test_a_list_under_another_uri_is_refused(issuer: Issuer) -> None:
    statuses = StatusList.of_size(64, bits=2)
    issuer.anchor.anchor_status_list(LIST_ID, statuses, uri=LIST_URI, version=1)
    with pytest.raises(TransactionFailedError):
        issuer.anchor.anchor_status_list(LIST_ID, statuses, uri=LIST_URI + "0", version=2)


@pytest.mark.parametrize("credential_format", ["vc+sd-jwt", "jwt_vc_json", "ldp_vc"])
def test_a_w3c_credential_names_its_lists_in_w3cs_form(
    world: IssuerWorld, issuer: Issuer, credential_format: str
) -> None:
    reference = StatusReference(index=7, uri=LIST_URI)
    signed = issuer.signer.sign(
        {"address": "Sendai"},
        concealed=[("address",)] if credential_format == "vc+sd-jwt" else [],
        credential_type=RESIDENT_CREDENTIAL_TYPE,
        holder_key=export_public_jwk(generate_key()),
        expires_at_ms=world.clock() + 86_400_000,
        list_place=ListPlace(list_id=LIST_ID, reference=reference),
        credential_format=credential_format,
    )
    claims = find_format(credential_format).read(signed.credential).claims
    assert StatusReference.from_claim(claims["status"]) == reference
    entries = claims["credentialStatus"]
    assert isinstance(entries, list)
    assert [StatusEntry.from_json(entry) for entry in entries] == [
        StatusEntry(purpose=purpose, index=7, list_url=f"{LIST_URI}/{purpose}")
        for purpose in ("revocation", "suspension")
    ]
