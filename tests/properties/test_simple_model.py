"""The ledger beside a model as plain as can be: any commands, equal outcomes, equal state."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.memory_ledger import MemoryLedger, named_key
from support.node_ledger import NodeLedger
from support.simple_iroha import Failure, Iroha, Refusal
from support.small_ledger import build_genesis_block

from chaincode.blocks import Verdict
from chaincode.protocol import commands_pb2
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission, Peer, RolePermission
from chaincode.protocol.qry_responses_pb2 import ErrorResponse, QueryResponse
from chaincode.protocol.queries_pb2 import Direction, Field, Ordering, Query, TxPaginationMeta
from chaincode.queries import answer_query
from chaincode.transactions import transaction_hash
from client_sdk.ledger.account_key import AccountKey

SOAK = "TEGATA_SOAK" in os.environ
NAMES = ["root", "alice", "bob", "carol"]
DOMAINS = ["d", "e"]
ACCOUNT_IDS = [f"{name}@{domain}" for name in NAMES for domain in DOMAINS]
KEY_NAMES = [*ACCOUNT_IDS, "second", "third"]
KEYS = {named_key(name).public_key: named_key(name) for name in KEY_NAMES}
ASSETS = ["coin#d", "gold#e", "gone#d"]

accounts = st.sampled_from(ACCOUNT_IDS)
names = st.sampled_from(NAMES)
domains = st.sampled_from([*DOMAINS, "f"])
keys = st.sampled_from([*KEYS, *(key.upper() for key in KEYS)])
roles = st.sampled_from(["all", "none", "r1", "r2", "r3"])
assets = st.sampled_from(ASSETS)
amounts = st.sampled_from(["1", "0.5", "2.25", "3.", "007", "0.001", str(2**255), str(2**256 - 1)])
details = st.sampled_from(["k", "l", "m"])
values = st.sampled_from(["", "1", "two", "é", 'a "quote"'])
permissions = st.lists(st.sampled_from(RolePermission.values()), max_size=6)
grantable = st.sampled_from(GrantablePermission.values())
peers = st.builds(
    Peer,
    address=st.sampled_from(["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]),
    peer_key=keys,
    syncing_peer=st.booleans(),
)
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "add_asset_quantity": {"asset_id": assets, "amount": amounts},
    "add_peer": {"peer": peers},
    "add_signatory": {"account_id": accounts, "public_key": keys},
    "append_role": {"account_id": accounts, "role_name": roles},
    "compare_and_set_account_detail": {
        "account_id": accounts,
        "key": details,
        "value": values,
        "old_value": st.none() | values,
        "check_empty": st.booleans(),
    },
    "create_account": {"account_name": names, "domain_id": domains, "public_key": keys},
    "create_asset": {
        "asset_name": st.sampled_from(["coin", "gold"]),
        "domain_id": domains,
        "precision": st.sampled_from([0, 2, 255]),
    },
    "create_domain": {"domain_id": domains, "default_role": roles},
    "create_role": {"role_name": roles, "permissions": permissions},
    "detach_role": {"account_id": accounts, "role_name": roles},
    "grant_permission": {"account_id": accounts, "permission": grantable},
    "remove_peer": {"public_key": keys},
    "remove_signatory": {"account_id": accounts, "public_key": keys},
    "revoke_permission": {"account_id": accounts, "permission": grantable},
    "set_account_detail": {"account_id": accounts, "key": details, "value": values},
    "set_account_quorum": {"account_id": accounts, "quorum": st.integers(1, 3)},
    "set_setting_value": {"key": st.just("MaxDescriptionSize"), "value": st.just("1")},
    "subtract_asset_quantity": {"asset_id": assets, "amount": amounts},
    "transfer_asset": {
        "src_account_id": accounts,
        "dest_account_id": accounts,
        "asset_id": assets,
        "amount": amounts,
    },
}


def build_command(name: str, fields: dict[str, Any]) -> Command:
    kind = Command.DESCRIPTOR.fields_by_name[name].message_type.name
    given = {field: value for field, value in fields.items() if value is not None}
    return Command(**{name: getattr(commands_pb2, kind)(**given)})


def is_sendable(command: Command) -> bool:
    transfer = command.transfer_asset
    return not transfer.amount or transfer.src_account_id != transfer.dest_account_id


commands = st.one_of(
    *(
        st.builds(build_command, st.just(name), st.fixed_dictionaries(fields))
        for name, fields in FIELDS.items()
    )
).filter(is_sendable)


def genesis() -> list[Command]:
    """A ledger where much is allowed to some and nothing to others."""

    def build(name: str, **fields: Any) -> Command:
        return build_command(name, fields)

    every = [number for number in RolePermission.values() if number != RolePermission.root]
    created = [
        build("add_peer", peer=Peer(address="10.0.0.9:1", peer_key=named_key("peer").public_key)),
        build("create_role", role_name="all", permissions=every),
        build("create_role", role_name="none"),
        build("create_role", role_name="root", permissions=[RolePermission.root]),
        *(build("create_domain", domain_id=domain, default_role="none") for domain in DOMAINS),
        build("create_asset", asset_name="coin", domain_id="d", precision=2),
        *(
            build(
                "create_account",
                account_name=account_id.split("@")[0],
                domain_id=account_id.split("@")[1],
                public_key=named_key(account_id).public_key,
            )
            for account_id in ACCOUNT_IDS[:6]
        ),
    ]
    given = {"root@d": "root", "alice@d": "all", "bob@e": "all", "root@e": "all"}
    created += [build("append_role", account_id=a, role_name=r) for a, r in given.items()]
    return created


class LedgerMachine(RuleBasedStateMachine):
    """Sends the same transactions and queries to the ledger and to the model."""

    @initialize()
    def begin(self) -> None:
        """Start both with the same genesis block."""
        self.ledger: Any = MemoryLedger(build_genesis_block(*genesis()))
        self.model = Iroha(genesis())

    @rule(
        creator=accounts,
        batch=st.lists(commands, min_size=1, max_size=3),
        signers=st.none() | st.sets(st.sampled_from(KEY_NAMES), min_size=1, max_size=3),
    )
    def send(self, creator: str, batch: list[Command], signers: set[str] | None) -> None:
        """Send a transaction, mostly signed by as many keys of its creator as it needs."""
        public_keys = {named_key(name).public_key for name in signers or ()}
        if signers is None:
            account = self.model.accounts.get(creator)
            public_keys = set(account.keys[: account.quorum]) if account else {next(iter(KEYS))}
        receipt = self.ledger.submit(creator, *batch, keys=tuple(KEYS[key] for key in public_keys))
        failure = self.model.apply(receipt.tx_hash.hex(), creator, public_keys, batch)
        if failure is None:
            assert receipt.verdict is Verdict.COMMITTED, receipt
        else:
            shown = Failure(receipt.command_name, receipt.command_index, receipt.code)
            assert (receipt.verdict, shown) == (Verdict.REJECTED, failure)

    @rule(asker=accounts, account_id=accounts, writer=st.none() | accounts, key=st.none() | details)
    def read_account(
        self, asker: str, account_id: str, writer: str | None, key: str | None
    ) -> None:
        """Ask all that can be asked of an account."""
        model = self.model
        self.compare(
            asker,
            lambda: model.get_account(asker, account_id),
            self.ask(asker, "get_account", account_id=account_id),
            lambda answer: (
                answer.account_response.account.quorum,
                set(answer.account_response.account_roles),
                json.loads(answer.account_response.account.json_data),
            ),
        )
        self.compare(
            asker,
            lambda: model.get_signatories(asker, account_id),
            self.ask(asker, "get_signatories", account_id=account_id),
            lambda answer: set(answer.signatories_response.keys),
        )
        self.compare(
            asker,
            lambda: model.get_account_detail(asker, account_id, writer, key),
            self.ask(asker, "get_account_detail", account_id=account_id, writer=writer, key=key),
            lambda answer: json.loads(answer.account_detail_response.detail),
        )
        self.compare(
            asker,
            lambda: model.get_account_assets(asker, account_id),
            self.ask(asker, "get_account_assets", account_id=account_id),
            lambda answer: {
                each.asset_id: each.balance
                for each in answer.account_assets_response.account_assets
            },
        )

    @rule(asker=accounts, role=roles, asset_id=assets)
    def read_the_rest(self, asker: str, role: str, asset_id: str) -> None:
        """Ask for roles, an asset and the peers."""
        model = self.model
        self.compare(
            asker,
            lambda: model.get_roles(asker),
            self.ask(asker, "get_roles"),
            lambda answer: set(answer.roles_response.roles),
        )
        self.compare(
            asker,
            lambda: model.get_role_permissions(asker, role),
            self.ask(asker, "get_role_permissions", role_id=role),
            lambda answer: {
                RolePermission.Name(number)
                for number in answer.role_permissions_response.permissions
            },
        )
        self.compare(
            asker,
            lambda: model.get_asset_info(asker, asset_id),
            self.ask(asker, "get_asset_info", asset_id=asset_id),
            lambda answer: answer.asset_response.asset.precision,
        )
        self.compare(
            asker,
            lambda: model.get_peers(asker),
            self.ask(asker, "get_peers"),
            lambda answer: sorted(
                (peer.peer_key, peer.address) for peer in answer.peers_response.peers
            ),
        )

    @rule(
        asker=accounts,
        account_id=accounts,
        asset_id=st.none() | assets,
        size=st.integers(1, 4),
        is_descending=st.booleans(),
    )
    def read_history(
        self, *, asker: str, account_id: str, asset_id: str | None, size: int, is_descending: bool
    ) -> None:
        """Turn the pages of a history."""
        name = "get_account_asset_transactions" if asset_id else "get_account_transactions"
        first: str | None = None
        for page in range(3):
            direction = Direction.kDescending if is_descending else Direction.kAscending
            entry = Ordering.FieldOrdering(field=Field.kPosition, direction=direction)
            meta = TxPaginationMeta(page_size=size, ordering=Ordering(sequence=[entry]))
            if first:
                meta.first_tx_hash = first
            answer = self.ask(
                asker, name, account_id=account_id, asset_id=asset_id, pagination_meta=meta
            )

            def expected(page: int = page) -> Any:
                hashes = self.model.get_history(
                    asker, account_id, asset_id, is_descending=is_descending
                )
                start = page * size
                following = (*hashes[start + size : start + size + 1], "")[0]
                return hashes[start : start + size], len(hashes), following

            self.compare(asker, expected, answer, read_page)
            first = answer.transactions_page_response.next_tx_hash
            if not first:
                return

    def ask(self, asker: str, name: str, **fields: Any) -> QueryResponse:
        """Return the answer to a query of a signatory of the asker."""
        query = Query()
        query.payload.meta.creator_account_id = asker
        body = getattr(query.payload, name)
        body.SetInParent()
        given = {field: value for field, value in fields.items() if value is not None}
        body.MergeFrom(type(body)(**given))
        account = self.model.accounts.get(asker)
        return self.answer(query, KEYS[account.keys[0]] if account else next(iter(KEYS.values())))

    def answer(self, query: Query, key: AccountKey) -> QueryResponse:
        """Answer a query that a key would sign."""
        return answer_query(self.ledger, query, key.public_key, pending=self.ledger.pending)

    def compare(
        self,
        asker: str,
        expected: Callable[[], Any],
        answer: QueryResponse,
        read: Callable[[QueryResponse], Any],
    ) -> None:
        """Compare an answer with the model's, a refusal included."""
        wanted = outcome(expected) if asker in self.model.accounts else ("STATEFUL_INVALID", 3)
        error = answer.error_response
        refused = answer.HasField("error_response")
        found = (ErrorResponse.Reason.Name(error.reason), error.error_code)
        assert (found if refused else read(answer)) == wanted


def read_page(answer: QueryResponse) -> Any:
    page = answer.transactions_page_response
    hashes = [transaction_hash(message).hex() for message in page.transactions]
    return hashes, page.all_transactions_size, page.next_tx_hash


def outcome(expected: Callable[[], Any]) -> Any:
    try:
        return expected()
    except Refusal as refusal:
        return refusal.reason, refusal.code


class NodeMachine(LedgerMachine):
    """The same through the gRPC of a node in a process of its own."""

    @initialize()
    def begin(self) -> None:
        """Start the node with the model's genesis block."""
        self.opened = ExitStack()
        folder = Path(self.opened.enter_context(TemporaryDirectory()))
        self.ledger = self.opened.enter_context(
            NodeLedger(folder, build_genesis_block(*genesis()), named_key("peer"))
        )
        self.model = Iroha(genesis())
        self.model.orders_alone = True

    def answer(self, query: Query, key: AccountKey) -> QueryResponse:
        """Send a query that a key signs."""
        return self.ledger.answer(query, key)

    def teardown(self) -> None:
        """Stop the node."""
        self.opened.close()


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=250 if SOAK else 12, stateful_step_count=100 if SOAK else 40, deadline=None
)
TestNode = NodeMachine.TestCase
TestNode.settings = settings(
    max_examples=50 if SOAK else 3, stateful_step_count=100 if SOAK else 30, deadline=None
)
