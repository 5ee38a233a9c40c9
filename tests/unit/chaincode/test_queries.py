"""Queries: who may ask, in irohad's words; accounts, blocks, roles and peers."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from support.memory_ledger import MemoryLedger
from support.queries import ask, error, refusal, with_permissions
from support.small_ledger import (
    ALICE,
    BOB,
    CAROL,
    NOBODY,
    ROOT,
    add_peer,
    committed,
    create_role,
    give_grants,
    key_of,
)

from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.protocol.qry_responses_pb2 import ErrorResponse
from chaincode.queries import asker, error_response
from client_sdk.ledger.commands import add_signatory, append_role, set_account_detail

PAGE = {"pagination_meta": {"page_size": 3}}
# The query, the middle of its permissions' names, its other fields, what it says of nobody.
READS: list[tuple[str, str, dict[str, Any], tuple[str, int, str] | None]] = [
    (
        "get_account",
        "account",
        {},
        ("NO_ACCOUNT", 0, "could find account with such id: nobody@d"),
    ),
    (
        "get_signatories",
        "signatories",
        {},
        ("NO_SIGNATORIES", 0, "no signatories found in account with such id: nobody@d"),
    ),
    (
        "get_account_detail",
        "acc_detail",
        {},
        ("NO_ACCOUNT_DETAIL", 0, "no details in account with such id: nobody@d"),
    ),
    ("get_account_assets", "acc_ast", {}, None),
    (
        "get_account_transactions",
        "acc_txs",
        PAGE,
        (
            "STATEFUL_INVALID",
            5,
            "failed to execute query: no account with such id found: nobody@d",
        ),
    ),
    (
        "get_account_asset_transactions",
        "acc_ast_txs",
        {"asset_id": "coin#d", **PAGE},
        (
            "STATEFUL_INVALID",
            5,
            "failed to execute query: no account with such id found: nobody@d",
        ),
    ),
]
# What each permission lets alice@d read: her own, bob@d, carol@e, an account that is not there.
REACH = [
    ("none", (False, False, False, False)),
    ("my", (True, False, False, False)),
    ("domain", (True, True, False, True)),
    ("all", (True, True, True, True)),
    ("root", (True, True, True, True)),
]


def permission_names(subject: str) -> list[str]:
    """Return the names in the order in which irohad gives them."""
    plural = subject if subject != "account" else "accounts"
    return [f"can_get_my_{subject}", f"can_get_all_{plural}", f"can_get_domain_{plural}"]


@pytest.mark.parametrize(("name", "subject", "fields", "nobody"), READS)
@pytest.mark.parametrize(("held", "reach"), REACH)
def test_own_domain_everybody_and_root(  # noqa: PLR0917
    name: str,
    subject: str,
    fields: dict[str, Any],
    nobody: tuple[str, int, str] | None,
    held: str,
    reach: Sequence[bool],
) -> None:
    names = permission_names(subject)
    my, everybody, domain = (P.Value(each) for each in names)
    others = {
        P.Value(each) for _, other, _, _ in READS for each in permission_names(other)
    }.difference([my, everybody, domain])
    permissions = {"my": my, "domain": domain, "all": everybody, "root": P.root}
    granted = [permissions[held]] if held in permissions else []
    ledger = with_permissions(*granted, *others)
    for account_id, allowed in zip((ALICE, BOB, CAROL, NOBODY), reach, strict=True):
        response = ask(ledger, name, account_id=account_id, **fields)
        if not allowed:
            assert refusal(response) == (
                "STATEFUL_INVALID",
                2,
                (
                    "failed to execute query: user must have at least one of the permissions: "
                    f"{names[0]}, {names[1]}, {names[2]}, "
                ),
            )
        elif account_id == NOBODY and nobody:
            assert refusal(response) == nobody
        elif name == "get_account_asset_transactions":
            assert error(response) == ("STATEFUL_INVALID", 6)
        else:
            assert not response.HasField("error_response")


FAILED = "failed to execute query: "


@pytest.mark.parametrize(
    ("name", "permissions", "fields", "prefix"),
    [
        # This one alone does not begin with the usual words.
        ("get_block", ["can_get_blocks"], {"height": 1}, ""),
        ("get_peers", ["can_get_peers"], {}, FAILED),
        ("get_roles", ["can_get_roles"], {}, FAILED),
        ("get_role_permissions", ["can_get_roles"], {"role_id": "root"}, FAILED),
        ("get_transactions", ["can_get_my_txs", "can_get_all_txs"], {}, FAILED),
        ("get_asset_info", ["can_read_assets"], {"asset_id": "coin#d"}, FAILED),
    ],
)
def test_a_query_needs_its_permission(
    name: str, permissions: list[str], fields: dict[str, Any], prefix: str
) -> None:
    numbers = [P.Value(permission) for permission in permissions]
    others = set(P.values()).difference([*numbers, P.root])
    listed = "".join(f"{permission}, " for permission in permissions)
    assert refusal(ask(with_permissions(*others), name, **fields)) == (
        "STATEFUL_INVALID",
        2,
        f"{prefix}user must have at least one of the permissions: {listed}",
    )
    for held in (*numbers, P.root):
        response = ask(with_permissions(held), name, **fields)
        assert response.error_response.error_code == 0


@pytest.mark.parametrize(
    ("creator", "signer"), [(ALICE, BOB), (ALICE, "stranger"), (NOBODY, "stranger")]
)
def test_the_signer_must_be_a_signatory(creator: str, signer: str) -> None:
    response = ask(with_permissions(P.root), "get_peers", creator=creator, signer=signer)
    assert refusal(response) == (
        "STATEFUL_INVALID",
        3,
        "query signatories did not pass validation",
    )


def test_any_signatory_may_ask() -> None:
    ledger = with_permissions(P.root)
    committed(ledger.submit(ROOT, add_signatory(ALICE, key_of("second"))))
    assert ask(ledger, "get_peers", signer="second").HasField("peers_response")


def test_get_account() -> None:
    ledger = with_permissions(P.root)
    committed(ledger.submit(BOB, set_account_detail(BOB, "k", "v")))
    committed(ledger.submit(ROOT, append_role(BOB, "granter")))
    response = ask(ledger, "get_account", account_id=BOB).account_response
    assert (response.account.account_id, response.account.domain_id) == (BOB, "d")
    assert response.account.quorum == 1
    assert json.loads(response.account.json_data) == {BOB: {"k": "v"}}
    assert list(response.account_roles) == ["granter", "nothing"]
    empty = ask(ledger, "get_account", account_id=CAROL).account_response
    assert empty.account.json_data == "{}"


def test_the_details_of_an_account_are_written_as_postgresql_does() -> None:
    """Shorter names come before longer ones, of writers and of keys."""
    ledger = with_permissions(P.can_get_all_accounts)
    give_grants(ledger, BOB, ALICE, [GrantablePermission.can_set_my_account_detail])
    for writer, key in ((ALICE, "z"), (ALICE, "aa"), (BOB, "k2"), (BOB, "k10"), (BOB, "k1")):
        committed(ledger.submit(writer, set_account_detail(BOB, key, "1")))
    account = ask(ledger, "get_account", account_id=BOB).account_response.account
    assert account.json_data == (
        '{"bob@d": {"k1": "1", "k2": "1", "k10": "1"}, "alice@d": {"z": "1", "aa": "1"}}'
    )


def test_get_signatories() -> None:
    ledger = with_permissions(P.root)
    committed(ledger.submit(ROOT, add_signatory(BOB, key_of("second").upper())))
    response = ask(ledger, "get_signatories", account_id=BOB).signatories_response
    assert list(response.keys) == sorted([key_of(BOB), key_of("second")])


def test_get_block() -> None:
    ledger = with_permissions(P.can_get_blocks)
    for height in (1, 2):
        response = ask(ledger, "get_block", height=height)
        assert response.block_response.block == ledger.blocks[height - 1]
    for height in (3, 2**64 - 1):
        assert refusal(ask(ledger, "get_block", height=height)) == (
            "STATEFUL_INVALID",
            3,
            (
                f"failed to execute query: requested height ({height}) is greater than the "
                "ledger's one (2)"
            ),
        )


def test_roles_come_in_the_order_in_which_they_were_created() -> None:
    ledger = with_permissions(P.can_get_roles)
    committed(ledger.submit(ROOT, *(create_role(name) for name in ("z", "b", "c", *"defghijkl"))))
    roles = ask(ledger, "get_roles").roles_response.roles
    first = ["nothing", "root", "granter", "held_by_alice"]
    assert list(roles) == [*first, "z", "b", "c", *"defghijkl"]


def test_permissions_come_in_the_order_of_their_numbers() -> None:
    ledger = with_permissions(P.can_get_roles)
    committed(ledger.submit(ROOT, create_role("x", P.root, P.can_append_role)))
    for role, expected in (("x", [P.can_append_role, P.root]), ("nothing", [])):
        response = ask(ledger, "get_role_permissions", role_id=role)
        assert list(response.role_permissions_response.permissions) == expected
    assert refusal(ask(ledger, "get_role_permissions", role_id="gone")) == (
        "NO_ROLES",
        0,
        "no role with such name in account with such id: {gone, alice@d}",
    )


def test_peers_that_vote_come_first_and_the_answer_hides_which_do() -> None:
    ledger = with_permissions(P.can_get_peers)
    syncing = add_peer(key_of("syncing"), "10.0.0.3:1")
    syncing.add_peer.peer.syncing_peer = True
    syncing.add_peer.peer.tls_certificate = "certificate"
    committed(ledger.submit(ROOT, syncing, add_peer(key_of("new"))))
    peers = ask(ledger, "get_peers").peers_response.peers
    voting = sorted([key_of("peer"), key_of("new")])
    assert [peer.peer_key for peer in peers] == [*voting, key_of("syncing")]
    assert not any(peer.syncing_peer for peer in peers)
    assert peers[2].tls_certificate == "certificate"


def test_error_response() -> None:
    response = error_response(ErrorResponse.NO_ACCOUNT, 7, "text").error_response
    assert (response.reason, response.error_code, response.message) == (
        ErrorResponse.NO_ACCOUNT,
        7,
        "text",
    )


# answers that are too large to send

BIG = b"v" * 4 * 1024 * 1024


def issuer_with_many_details() -> MemoryLedger:
    """Return a ledger where alice has 160 MiB of details; the value is one object in memory."""
    ledger = with_permissions(P.root)
    committed(ledger.submit(ALICE, *(set_account_detail(ALICE, f"k{n:02}", "") for n in range(40))))
    for key in list(ledger.state):
        if key.startswith(b"detail\x00"):
            ledger.state[key] = BIG
    return ledger


@pytest.mark.parametrize("name", ["get_account", "get_account_detail"])
def test_details_that_are_too_large_name_the_query_in_pages(name: str) -> None:
    ledger = issuer_with_many_details()
    assert refusal(ask(ledger, name, account_id=ALICE)) == (
        "STATEFUL_INVALID",
        201,
        (
            "failed to execute query: the answer has more than 134217728 bytes; ask with "
            "GetAccountDetail and a smaller page_size in its pagination_meta"
        ),
    )
    page = {"page_size": 1}
    response = ask(ledger, "get_account_detail", account_id=ALICE, pagination_meta=page)
    assert response.account_detail_response.total_number == 40


@pytest.mark.parametrize(
    ("name", "fields", "advice"),
    [
        ("get_account", {"account_id": ALICE}, "ask with GetAccountDetail and a smaller page_size"),
        ("get_account_detail", {}, "ask with GetAccountDetail and a smaller page_size"),
        ("get_account_assets", {"account_id": ALICE}, "ask with GetAccountAssets and a smaller"),
        ("get_account_transactions", {"account_id": ALICE, **PAGE}, "ask for a smaller page_size"),
        ("get_block", {"height": 2}, "ask for less"),
    ],
)
def test_every_answer_is_bounded(
    monkeypatch: pytest.MonkeyPatch, name: str, fields: dict[str, Any], advice: str
) -> None:
    ledger = with_permissions(P.root)
    committed(ledger.submit(ALICE, set_account_detail(ALICE, "k", "v" * 100)))
    for asset in ("a", "b", "c"):
        ledger.state[f"balance\0{ALICE}\0{asset}#d".encode()] = b"1" * 40
    ledger.state[f"count\0balance\0{ALICE}".encode()] = b"3"
    assert not ask(ledger, name, **fields).HasField("error_response")
    monkeypatch.setattr(asker, "MAX_RESPONSE_BYTES", 99)
    for module in ("answer", "details"):
        monkeypatch.setattr(f"chaincode.queries.{module}.MAX_RESPONSE_BYTES", 99)
    reason, code, message = refusal(ask(ledger, name, **fields))
    assert (reason, code) == ("STATEFUL_INVALID", 201)
    assert f"the answer has more than 99 bytes; {advice}" in message
