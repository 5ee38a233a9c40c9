"""What contracts may do to Iroha: each function, whose permissions count, and what is undone."""

import json
from collections.abc import Callable

import pytest
from eth_abi.abi import decode
from support.contracts import (
    CALLER,
    SERVICE_CONTRACT,
    VECTORS,
    Deployed,
    deploy,
    engine_ledger,
    service_call,
)
from support.guarded_account import GUARD
from support.memory_ledger import MemoryLedger, named_key
from support.small_ledger import (
    ALICE,
    BOB,
    NOBODY,
    ROOT,
    committed,
    create_asset,
    give_permissions,
    key_of,
)

from chaincode.evm import get_engine_receipts
from chaincode.protocol.commands_pb2 import AddPeer, Command
from chaincode.protocol.primitive_pb2 import GrantablePermission as Grantable
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.records import encode_record
from chaincode.rules.identity.guard import GUARD_KEY
from chaincode.service_contract import SERVICE_FUNCTIONS
from chaincode.world_state import (
    detail_key,
    get_account,
    get_balance,
    get_default_role,
    get_detail,
    get_grants,
    get_precision,
    get_role,
)
from client_sdk.ledger.commands import set_account_detail

COIN = "coin#d"
KEY = named_key("another").public_key


@pytest.fixture
def caller() -> Deployed:
    """A contract that root deployed on a ledger with one asset."""
    return deploy(engine_ledger(create_asset(COIN)), CALLER)


def signatories(ledger: MemoryLedger, account_id: str) -> list[str]:
    account = get_account(ledger, account_id)
    assert account is not None
    return list(account.signatories)


def roles(ledger: MemoryLedger, account_id: str) -> list[str]:
    account = get_account(ledger, account_id)
    assert account is not None
    return list(account.roles)


def quorum(ledger: MemoryLedger, account_id: str) -> int:
    account = get_account(ledger, account_id)
    assert account is not None
    return account.quorum


def root_detail(ledger: MemoryLedger, account_id: str, key: str) -> str | None:
    return get_detail(ledger, account_id, ROOT, key)


RECEIVES = service_call("createRole", "receives", '["can_receive"]')
GIVE_ALICE = service_call("appendRole", ALICE, "receives")
ADD_COINS = service_call("addAssetQuantity", COIN, "10.50")
ADD_KEY = service_call("addSignatory", ROOT, KEY)
COMMANDS = [
    pytest.param([ADD_COINS], lambda s: str(get_balance(s, ROOT, COIN)) == "10.50", id="add"),
    pytest.param(
        [ADD_COINS, service_call("subtractAssetQuantity", COIN, "0.5")],
        lambda s: str(get_balance(s, ROOT, COIN)) == "10.00",
        id="subtract",
    ),
    pytest.param(
        [
            RECEIVES,
            GIVE_ALICE,
            ADD_COINS,
            service_call("transferAsset", ROOT, ALICE, COIN, "for you", "2"),
        ],
        lambda s: str(get_balance(s, ALICE, COIN)) == "2",
        id="transfer",
    ),
    pytest.param([ADD_KEY], lambda s: KEY in signatories(s, ROOT), id="add signatory"),
    pytest.param(
        [ADD_KEY, service_call("removeSignatory", ROOT, KEY)],
        lambda s: signatories(s, ROOT) == [key_of(ROOT)],
        id="remove signatory",
    ),
    pytest.param(
        [ADD_KEY, service_call("setAccountQuorum", ROOT, "2")],
        lambda s: quorum(s, ROOT) == 2,
        id="quorum",
    ),
    pytest.param(
        [RECEIVES],
        lambda s: get_role(s, "receives") == {P.can_receive},
        id="create role",
    ),
    pytest.param(
        [service_call("createRole", "nothing_more", "[]")],
        lambda s: get_role(s, "nothing_more") == frozenset(),
        id="create an empty role",
    ),
    pytest.param([RECEIVES, GIVE_ALICE], lambda s: "receives" in roles(s, ALICE), id="append role"),
    pytest.param(
        [RECEIVES, GIVE_ALICE, service_call("detachRole", ALICE, "receives")],
        lambda s: "receives" not in roles(s, ALICE),
        id="detach role",
    ),
    pytest.param(
        [service_call("createDomain", "f", "nothing")],
        lambda s: get_default_role(s, "f") == "nothing",
        id="create domain",
    ),
    pytest.param(
        [service_call("createAccount", "dora", "d", KEY)],
        lambda s: signatories(s, "dora@d") == [KEY],
        id="create account",
    ),
    pytest.param(
        [service_call("createAsset", "gold", "d", "3")],
        lambda s: get_precision(s, "gold#d") == 3,
        id="create asset",
    ),
    pytest.param(
        [service_call("setAccountDetail", ALICE, "k", "v")],
        lambda s: root_detail(s, ALICE, "k") == "v",
        id="detail",
    ),
    *(
        pytest.param(
            [service_call("compareAndSetAccountDetail", ALICE, "k", "v", "", flag)],
            lambda s: root_detail(s, ALICE, "k") == "v",
            id=f"compare with nothing, {flag or 'no flag'}",
        )
        for flag in ("", "0", "False", "1", "t", "TRUE")
    ),
    pytest.param(
        [
            service_call("setAccountDetail", ALICE, "k", "old"),
            service_call("compareAndSetAccountDetail", ALICE, "k", "new", "old", "true"),
        ],
        lambda s: root_detail(s, ALICE, "k") == "new",
        id="compare and set",
    ),
    pytest.param(
        [service_call("grantPermission", ALICE, "can_set_my_quorum")],
        lambda s: get_grants(s, ROOT, ALICE) == {Grantable.can_set_my_quorum},
        id="grant",
    ),
    pytest.param(
        [
            service_call("grantPermission", ALICE, "can_set_my_quorum"),
            service_call("revokePermission", ALICE, "can_set_my_quorum"),
        ],
        lambda s: get_grants(s, ROOT, ALICE) == frozenset(),
        id="revoke",
    ),
]


@pytest.mark.parametrize(("payloads", "done"), COMMANDS)
def test_a_contract_gives_commands(
    caller: Deployed, payloads: list[bytes], done: Callable[[MemoryLedger], bool]
) -> None:
    found = caller.call("runEach", payloads)
    assert done(caller.ledger)
    # Each function answers true.
    for log in found.logs:
        assert bytes.fromhex(log.data)[-32:] == (1).to_bytes(32)


def answer(caller: Deployed, function: str, *texts: str) -> object:
    """Return what a query function answers, as Solidity decodes it."""
    (result,) = caller.output("run", service_call(function, *texts))
    (value,) = decode([SERVICE_FUNCTIONS[function].returns], result)
    return value


def test_a_contract_asks_queries(caller: Deployed) -> None:
    caller.call("runEach", [ADD_COINS, service_call("setAccountDetail", ROOT, "k", 'a "b" ü')])
    assert answer(caller, "getAssetBalance", ROOT, COIN) == "10.50"
    assert answer(caller, "getAssetBalance", ALICE, COIN) == "0"
    account = json.loads(str(answer(caller, "getAccount", ROOT)))
    assert list(account) == ["account_id", "domain_id", "quorum", "json_data"]
    assert (account["account_id"], account["domain_id"], account["quorum"]) == (ROOT, "d", 1)
    details = {ROOT: {"k": 'a "b" ü'}}
    assert json.loads(account["json_data"]) == details
    assert json.loads(str(answer(caller, "getAccountDetail"))) == details
    assert answer(caller, "getSignatories", ALICE) == (key_of(ALICE),)
    assert answer(caller, "getRolePermissions", "root") == f"[{P.root}]"
    assert {"root", "nothing"} <= set(answer(caller, "getRoles"))  # type: ignore[call-overload]


def test_answers_are_in_the_form_of_irohads(caller: Deployed) -> None:
    assert answer(caller, "getAssetInfo", COIN) == (
        '{"asset_id":"coin#d","domain_id":"d","precision":2}'
    )
    caller.call("run", service_call("createAsset", "whole", "d", "0"))
    assert answer(caller, "getAssetInfo", "whole#d") == '{"asset_id":"whole#d","domain_id":"d"}'
    assert answer(caller, "getPeers") == (
        f'[{{"address":"10.0.0.1:10001","peer_key":"{key_of("peer")}","Certificate":null}}]'
    )


REFUSED = [
    pytest.param(service_call("createDomain", "f", "gone"), id="a rule's code"),
    pytest.param(service_call("createDomain", "no name", "nothing"), id="a field's form"),
    pytest.param(service_call("createAsset", "gold", "d", "few"), id="no number"),
    pytest.param(service_call("createAsset", "gold", "d", "1" * 10), id="a long number"),
    pytest.param(service_call("createAsset", "gold", "d", "-1"), id="a negative number"),
    pytest.param(
        service_call("createAsset", "gold", "d", "\u0661"), id="a number in another script"
    ),
    pytest.param(service_call("grantPermission", ALICE, "can_fly"), id="no permission to grant"),
    pytest.param(service_call("createRole", "r", '["can_fly"]'), id="no permission of a role"),
    pytest.param(service_call("createRole", "r", '[["can_receive"]]'), id="no list of names"),
    pytest.param(service_call("createRole", "r", '{"a": 1}'), id="no list"),
    pytest.param(service_call("createRole", "r", "["), id="no JSON"),
    pytest.param(service_call("createRole", "r", "[" * 20_000), id="nested JSON"),
    pytest.param(
        service_call("compareAndSetAccountDetail", ALICE, "k", "v", "", "yes"), id="no flag"
    ),
    pytest.param(service_call("getAccount", NOBODY), id="a query about nothing"),
    pytest.param(service_call("getAccount", "no account"), id="a query of bad form"),
    pytest.param(service_call("addPeer", "10.0.0.2:10001", KEY), id="peers"),
    pytest.param(service_call("getBlock", "1"), id="the past"),
    pytest.param(b"", id="nothing"),
    pytest.param(service_call("createDomain", "f", "nothing")[:40], id="half of the arguments"),
    pytest.param(
        service_call("setAccountDetail", ALICE, "k", "vv").replace(b"vv", b"\xff\xff"),
        id="no UTF-8",
    ),
    pytest.param(
        service_call("getAccount", ALICE)[:36] + (2**255).to_bytes(32), id="an endless text"
    ),
]


@pytest.mark.parametrize("payload", REFUSED)
def test_a_refusal_is_a_call_that_fails_and_may_be_survived(
    caller: Deployed, payload: bytes
) -> None:
    before = caller.ledger.state.copy()
    assert "Error calling service contract function" in caller.try_call("run", payload).reason
    assert caller.ledger.state == before
    assert caller.output("attempt", payload) == (False, b"")


def test_the_accounts_permissions_count_and_not_the_creators() -> None:
    ledger = engine_ledger(create_asset(COIN))
    give_permissions(ledger, ALICE, P.can_call_engine)
    contract = deploy(ledger, CALLER, account_id=ALICE)
    questions = {
        "getAccount": (BOB,),
        "getSignatories": (BOB,),
        "getAssetBalance": (BOB, COIN),
        "getAccountDetail": (),
        "getAssetInfo": (COIN,),
        "getPeers": (),
        "getRolePermissions": ("root",),
        "getRoles": (),
    }
    payloads = [ADD_COINS, *(service_call(name, *texts) for name, texts in questions.items())]
    for payload in payloads:
        assert contract.output("attempt", payload, account_id=ALICE) == (False, b"")
    # Root makes the transaction, in alice's name.
    for payload in payloads:
        receipt = committed(ledger.submit(ROOT, contract.command("attempt", payload, caller=ALICE)))
        (found,) = get_engine_receipts(ledger, receipt.tx_hash).receipts
        output = CALLER.decode_output("attempt", found.call_result.result_data)
        assert output == (False, b"")
        assert contract.output("attempt", payload)[0]


def test_a_contract_passes_no_guard() -> None:
    ledger = engine_ledger()
    give_permissions(ledger, ALICE, P.can_call_engine, P.can_add_signatory, P.can_set_quorum)
    contract = deploy(ledger, CALLER, account_id=ALICE)
    steal = service_call("addSignatory", ALICE, KEY)
    assert contract.output("attempt", steal, account_id=ALICE)[0]
    ledger.state[detail_key(ALICE, ALICE, GUARD_KEY)] = encode_record(GUARD).encode()
    steal = service_call("addSignatory", ALICE, key_of(BOB))
    assert contract.output("attempt", steal, account_id=ALICE) == (False, b"")
    assert key_of(BOB) not in signatories(ledger, ALICE)


def test_identity_records_keep_their_rules(caller: Deployed) -> None:
    payload = service_call("setAccountDetail", ALICE, "tg_cred_" + "0" * 32, "x")
    assert caller.output("attempt", payload) == (False, b"")


def test_what_a_contract_takes_back_is_undone_with_the_commands_in_it(caller: Deployed) -> None:
    undone = service_call("setAccountDetail", ALICE, "undone", "1")
    kept = service_call("setAccountDetail", ALICE, "kept", "1")
    found = caller.call("undo", undone, kept)
    assert root_detail(caller.ledger, ALICE, "undone") is None
    assert root_detail(caller.ledger, ALICE, "kept") == "1"
    assert len(found.logs) == 1


def test_commands_of_one_call_see_each_other_and_fall_together(caller: Deployed) -> None:
    detail = service_call("setAccountDetail", ALICE, "k", "1")
    refused = service_call("createDomain", "d", "nothing")
    assert caller.try_call("runEach", [detail, refused]).code == 3
    assert root_detail(caller.ledger, ALICE, "k") is None
    (_, found) = caller.output("attempt", ADD_COINS), caller.call("run", ADD_COINS)
    assert found.logs
    assert str(get_balance(caller.ledger, ROOT, COIN)) == "21.00"


def test_a_static_call_may_ask_and_not_change(caller: Deployed) -> None:
    asked = caller.output("look", service_call("getAssetBalance", ROOT, COIN))
    assert asked[0]
    assert caller.output("look", service_call("setAccountDetail", ALICE, "k", "1")) == (False, b"")
    assert root_detail(caller.ledger, ALICE, "k") is None


def test_a_contract_calls_by_interface(caller: Deployed) -> None:
    assert caller.output("typed", ALICE, "k", "v") == (True,)
    assert root_detail(caller.ledger, ALICE, "k") == "v"


def test_the_page_lists_the_functions_and_their_arguments() -> None:
    page = (VECTORS.parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
    section = page.split("\n## The service contract\n")[1].split("\n## ")[0]
    assert SERVICE_CONTRACT in section.lower()
    listed = {
        cells[0].strip("`"): (0 if cells[1].startswith("none") else cells[1].count(",") + 1)
        for line in section.splitlines()
        if line.startswith("| `")
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
    assert listed == {name: each.parameters for name, each in SERVICE_FUNCTIONS.items()}


def test_answers_are_paid_by_the_byte_before_they_are_made(caller: Deployed) -> None:
    """20 details of 100,000 bytes: more than a transaction can pay, and read no further."""
    details = [set_account_detail(ROOT, f"k{number}", "v" * 100_000) for number in range(20)]
    committed(caller.ledger.submit(ROOT, *details))
    receipt = caller.try_call("run", service_call("getAccountDetail"))
    assert receipt.code == 3
    assert caller.output("attempt", service_call("getAccountDetail")) == (False, b"")


def test_peers_are_shown_with_their_certificates() -> None:
    command = Command(
        add_peer=AddPeer(
            peer=Peer(
                address="10.0.0.2:10001", peer_key=KEY, tls_certificate="PEM", syncing_peer=True
            )
        )
    )
    contract = deploy(engine_ledger(command), CALLER)
    shown = json.loads(str(answer(contract, "getPeers")))
    assert {
        "address": "10.0.0.2:10001",
        "peer_key": KEY,
        "Certificate": {"TlsCertificate": "PEM"},
    } in shown
