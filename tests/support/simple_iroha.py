"""Iroha 1 as plainly as it can be said: dicts, sets and decimals, written from its documentation.

It shares no rule with the product. A transaction is decided by `Iroha.apply`; queries are answered
by the `get_...` methods, which return what a client would see or raise `Refusal`.
"""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission

EXACT = Context(prec=1000)
END = Decimal(2**256)
ALL = {name for name, _ in RolePermission.items()}


@dataclass
class Account:
    """An account, as its owner would write it on paper."""

    keys: list[str]
    roles: list[str]
    quorum: int = 1
    details: dict[tuple[str, str], str] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 - not an error: an answer
    """A command or query that is refused: its code, or for a query the reason too."""

    def __init__(self, code: int, reason: str = "STATEFUL_INVALID") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Failure:
    """Why a transaction was rejected: what its status shows."""

    name: str
    index: int
    code: int


class Iroha:
    """The world state. `genesis` commands are applied without asking for permissions.

    Attributes:
        orders_alone: Whether a node orders alone, so that no other may vote.
    """

    def __init__(self, genesis: Iterable[Command]) -> None:
        self.accounts: dict[str, Account] = {}
        self.roles: dict[str, set[str]] = {}
        self.domains: dict[str, str] = {}
        self.assets: dict[str, int] = {}
        self.grants: set[tuple[str, str, str]] = set()
        self.peers: list[tuple[str, str, bool]] = []
        self.committed: list[tuple[str, str, list[Command]]] = []
        self.creator = "genesis"
        self.orders_alone = False
        self.is_genesis = True
        for command in genesis:
            self._run(command)
        self.is_genesis = False

    def apply(
        self, tx_hash: str, creator: str, signers: set[str], commands: list[Command]
    ) -> Failure | None:
        """Decide a transaction: all of it, or nothing and why."""
        account = self.accounts.get(creator)
        if not account or not signers <= set(account.keys) or len(signers) < account.quorum:
            return Failure("signatures validation", 0, 2)
        before = copy.deepcopy(self.__dict__)
        self.creator = creator
        for index, command in enumerate(commands):
            try:
                self._run(command)
            except Refusal as refusal:
                self.__dict__ = before
                body = getattr(command, str(command.WhichOneof("command")))
                name = body.DESCRIPTOR.name.replace("SetAccountQuorum", "SetQuorum")
                return Failure(name, index, refusal.code)
        voters = {peer for peer in before["peers"] if not peer[2]}
        if self.orders_alone and voters != {peer for peer in self.peers if not peer[2]}:
            self.__dict__ = before
            added = (
                each.HasField("add_peer") and not each.add_peer.peer.syncing_peer
                for each in commands
            )
            return Failure("AddPeer", list(added).index(True), 1)
        self.committed.append((tx_hash, creator, commands))
        return None

    def _run(self, command: Command) -> None:
        name = str(command.WhichOneof("command"))
        rule: Callable[[Any], None] = getattr(self, f"_{name}")
        rule(getattr(command, name))

    # Permissions

    def permissions(self, account_id: str) -> set[str]:
        """Return what an account's roles allow; `root` allows all."""
        account = self.accounts.get(account_id)
        held = set().union(*(self.roles[role] for role in account.roles)) if account else set()
        return ALL if "root" in held else held

    def _may(self, *any_of: str) -> bool:
        return self.is_genesis or bool(self.permissions(self.creator) & set(any_of))

    def _holds(self, wanted: set[str]) -> bool:
        return self.is_genesis or wanted <= self.permissions(self.creator)

    def _is_root(self) -> bool:
        return "root" in self.permissions(self.creator)

    def _may_change(self, account_id: str, own: str, granted: str) -> bool:
        """Own account with the role permission, another's with its grant, anything as root."""
        if self.is_genesis or self._is_root():
            return True
        if account_id == self.creator:
            return self._may(own) or (account_id, self.creator, granted) in self.grants
        return (account_id, self.creator, granted) in self.grants

    @staticmethod
    def _check(condition: object, code: int) -> None:
        if not condition:
            raise Refusal(code)

    # Commands

    def _create_role(self, c: Any) -> None:
        wanted = {RolePermission.Name(number) for number in c.permissions}
        self._check(self._may("can_create_role") and self._holds(wanted), 2)
        self._check(c.role_name not in self.roles, 3)
        self.roles[c.role_name] = wanted

    def _append_role(self, c: Any) -> None:
        self._check(c.role_name in self.roles, 4)
        self._check(self._may("can_append_role") and self._holds(self.roles[c.role_name]), 2)
        self._check(c.account_id in self.accounts, 3)
        self._check(c.role_name not in self.accounts[c.account_id].roles, 1)
        self.accounts[c.account_id].roles.append(c.role_name)

    def _detach_role(self, c: Any) -> None:
        self._check(c.account_id in self.accounts, 3)
        self._check(c.role_name in self.roles, 5)
        self._check(c.role_name in self.accounts[c.account_id].roles, 4)
        self._check(self._may("can_detach_role"), 2)
        self.accounts[c.account_id].roles.remove(c.role_name)

    def _create_domain(self, c: Any) -> None:
        self._check(self._may("can_create_domain"), 2)
        self._check(c.domain_id not in self.domains, 3)
        self._check(c.default_role in self.roles, 4)
        self.domains[c.domain_id] = c.default_role

    def _create_account(self, c: Any) -> None:
        account_id = f"{c.account_name}@{c.domain_id}"
        self._check(c.domain_id in self.domains, 3)
        role = self.domains[c.domain_id]
        self._check(self._may("can_create_account") and self._holds(self.roles[role]), 2)
        self._check(account_id not in self.accounts, 4)
        self.accounts[account_id] = Account(keys=[c.public_key.lower()], roles=[role])

    def _add_signatory(self, c: Any) -> None:
        may = self._may_change(c.account_id, "can_add_signatory", "can_add_my_signatory")
        self._check(may, 2)
        self._check(c.account_id in self.accounts, 3)
        keys = self.accounts[c.account_id].keys
        self._check(c.public_key.lower() not in keys, 4)
        keys.append(c.public_key.lower())

    def _remove_signatory(self, c: Any) -> None:
        self._check(c.account_id in self.accounts, 3)
        may = self._may_change(c.account_id, "can_remove_signatory", "can_remove_my_signatory")
        self._check(may, 2)
        account = self.accounts[c.account_id]
        self._check(c.public_key.lower() in account.keys, 4)
        self._check(len(account.keys) > account.quorum, 5)
        account.keys.remove(c.public_key.lower())

    def _set_account_quorum(self, c: Any) -> None:
        self._check(self._may_change(c.account_id, "can_set_quorum", "can_set_my_quorum"), 2)
        self._check(c.account_id in self.accounts, 4)
        account = self.accounts[c.account_id]
        self._check(c.quorum <= len(account.keys), 5)
        account.quorum = c.quorum

    def _grant_permission(self, c: Any) -> None:
        name = GrantablePermission.Name(c.permission)
        self._check(self._may(name.replace("can_", "can_grant_can_", 1)), 2)
        self._check(c.account_id in self.accounts, 3)
        self._check((self.creator, c.account_id, name) not in self.grants, 1)
        self.grants.add((self.creator, c.account_id, name))

    def _revoke_permission(self, c: Any) -> None:
        grant = (self.creator, c.account_id, GrantablePermission.Name(c.permission))
        self._check(grant in self.grants, 2)
        self.grants.remove(grant)

    def _may_write_details(self, account_id: str) -> bool:
        grant = (account_id, self.creator, "can_set_my_account_detail")
        return account_id == self.creator or self._may("can_set_detail") or grant in self.grants

    def _set_account_detail(self, c: Any) -> None:
        self._check(c.account_id in self.accounts, 3)
        self._check(self._may_write_details(c.account_id), 2)
        self.accounts[c.account_id].details[self.creator, c.key] = c.value

    def _compare_and_set_account_detail(self, c: Any) -> None:
        self._check(c.account_id in self.accounts, 3)
        details = self.accounts[c.account_id].details
        found = details.get((self.creator, c.key))
        if found is None:
            self._check(not (c.check_empty and c.HasField("old_value")), 4)
        else:
            self._check(c.HasField("old_value") and found == c.old_value, 4)
        may_read = self._may_read(self.creator, c.account_id, "acc_detail")
        self._check(may_read and self._may_write_details(c.account_id), 2)
        details[self.creator, c.key] = c.value

    def _create_asset(self, c: Any) -> None:
        self._check(self._may("can_create_asset"), 2)
        self._check(c.domain_id in self.domains, 3)
        asset_id = f"{c.asset_name}#{c.domain_id}"
        self._check(asset_id not in self.assets, 4)
        self.assets[asset_id] = c.precision

    def _may_supply(self, verb: str, asset_id: str) -> bool:
        same_domain = asset_id.split("#")[1] == self.creator.split("@")[1]
        own = [f"can_{verb}_domain_asset_qty"] if same_domain else []
        return self._may(f"can_{verb}_asset_qty", *own)

    def _fits(self, asset_id: str, amount: Decimal) -> bool:
        decimals = -int(amount.as_tuple().exponent)
        return asset_id in self.assets and decimals <= self.assets[asset_id]

    def _too_much(self, asset_id: str, balance: Decimal) -> bool:
        return EXACT.scaleb(balance, self.assets[asset_id]) >= END

    def _add_asset_quantity(self, c: Any) -> None:
        amount = Decimal(c.amount)
        self._check(self._may_supply("add", c.asset_id), 2)
        self._check(self._fits(c.asset_id, amount), 3)
        balances = self.accounts[self.creator].balances
        total = EXACT.add(balances.get(c.asset_id, Decimal(0)), amount)
        self._check(not self._too_much(c.asset_id, total), 4)
        balances[c.asset_id] = total

    def _subtract_asset_quantity(self, c: Any) -> None:
        amount = Decimal(c.amount)
        self._check(self._may_supply("subtract", c.asset_id), 2)
        self._check(self._fits(c.asset_id, amount), 3)
        balances = self.accounts[self.creator].balances
        self._check(balances.get(c.asset_id, Decimal(0)) >= amount, 4)
        balances[c.asset_id] = EXACT.subtract(balances[c.asset_id], amount)

    def _transfer_asset(self, c: Any) -> None:
        amount = Decimal(c.amount)
        source, destination = c.src_account_id, c.dest_account_id
        self._check(destination in self.accounts, 4)
        may_send = self._may_change(source, "can_transfer", "can_transfer_my_assets")
        self._check("can_receive" in self.permissions(destination) and may_send, 2)
        self._check(source in self.accounts, 3)
        self._check(self._fits(c.asset_id, amount), 5)
        held = self.accounts[source].balances
        self._check(held.get(c.asset_id, Decimal(0)) >= amount, 6)
        balances = self.accounts[destination].balances
        total = EXACT.add(balances.get(c.asset_id, Decimal(0)), amount)
        self._check(not self._too_much(c.asset_id, total), 7)
        held[c.asset_id] = EXACT.subtract(held[c.asset_id], amount)
        balances[c.asset_id] = total

    def _add_peer(self, c: Any) -> None:
        key, address = c.peer.peer_key.lower(), c.peer.address
        alike = [peer for peer in self.peers if peer[2] == c.peer.syncing_peer]
        self._check(self._may("can_add_peer"), 2)
        self._check(all(key != peer[0] and address != peer[1] for peer in alike), 1)
        self.peers.append((key, address, c.peer.syncing_peer))

    def _remove_peer(self, c: Any) -> None:
        left = [peer for peer in self.peers if peer[0] != c.public_key.lower()]
        self._check(len(left) < len(self.peers), 3)
        self._check(any(not is_syncing for _, _, is_syncing in left), 4)
        self._check(self._may("can_add_peer", "can_remove_peer"), 2)
        self.peers = left

    def _set_setting_value(self, _c: Any) -> None:
        self._check(self.is_genesis, 2)

    # Queries

    def _may_read(self, asker: str, account_id: str, what: str) -> bool:
        held = self.permissions(asker)
        plural = "accounts" if what == "account" else what
        return (
            f"can_get_all_{plural}" in held
            or (asker == account_id and f"can_get_my_{what}" in held)
            or (_domain(asker) == _domain(account_id) and f"can_get_domain_{plural}" in held)
        )

    def _account_for(self, asker: str, account_id: str, what: str, reason: str) -> Account:
        if not self._may_read(asker, account_id, what):
            raise Refusal(2)
        if account_id not in self.accounts:
            raise Refusal(0, reason)
        return self.accounts[account_id]

    def get_account(self, asker: str, account_id: str) -> tuple[int, set[str], dict[str, Any]]:
        """Return quorum, roles and details."""
        account = self._account_for(asker, account_id, "account", "NO_ACCOUNT")
        return account.quorum, set(account.roles), nested(account.details)

    def get_signatories(self, asker: str, account_id: str) -> set[str]:
        """Return the account's keys."""
        account = self._account_for(asker, account_id, "signatories", "NO_SIGNATORIES")
        return set(account.keys)

    def get_account_detail(
        self, asker: str, account_id: str, writer: str | None, key: str | None
    ) -> dict[str, Any]:
        """Return the details of a writer, of a name, or all of them."""
        account = self._account_for(asker, account_id, "acc_detail", "NO_ACCOUNT_DETAIL")
        return nested(
            {
                name: value
                for name, value in account.details.items()
                if writer in {None, name[0]} and key in {None, name[1]}
            }
        )

    def get_account_assets(self, asker: str, account_id: str) -> dict[str, str]:
        """Return each balance as text."""
        if not self._may_read(asker, account_id, "acc_ast"):
            raise Refusal(2)
        account = self.accounts.get(account_id)
        balances = account.balances if account else {}
        return {asset: format(balance, "f") for asset, balance in balances.items()}

    def get_roles(self, asker: str) -> set[str]:
        """Return the names of all roles."""
        if "can_get_roles" not in self.permissions(asker):
            raise Refusal(2)
        return set(self.roles)

    def get_role_permissions(self, asker: str, role: str) -> set[str]:
        """Return what a role allows."""
        if "can_get_roles" not in self.permissions(asker):
            raise Refusal(2)
        if role not in self.roles:
            raise Refusal(0, "NO_ROLES")
        return self.roles[role]

    def get_asset_info(self, asker: str, asset_id: str) -> int:
        """Return an asset's precision."""
        if "can_read_assets" not in self.permissions(asker):
            raise Refusal(2)
        if asset_id not in self.assets:
            raise Refusal(0, "NO_ASSET")
        return self.assets[asset_id]

    def get_peers(self, asker: str) -> list[tuple[str, str]]:
        """Return key and address of each peer; which of them vote is not told."""
        if "can_get_peers" not in self.permissions(asker):
            raise Refusal(2)
        return sorted((key, address) for key, address, _ in self.peers)

    def get_history(
        self, asker: str, account_id: str, asset_id: str | None, *, is_descending: bool
    ) -> list[str]:
        """Return the hashes of what an account made, or of what moved its asset."""
        if not self._may_read(asker, account_id, "acc_ast_txs" if asset_id else "acc_txs"):
            raise Refusal(2)
        if account_id not in self.accounts:
            raise Refusal(5)
        if asset_id and asset_id not in self.assets:
            raise Refusal(6)
        found = [
            tx_hash
            for tx_hash, creator, commands in self.committed
            if (
                _moves(commands, asset_id, account_id, creator)
                if asset_id
                else creator == account_id
            )
        ]
        return found[::-1] if is_descending else found


def _moves(commands: list[Command], asset_id: str, account_id: str, creator: str) -> bool:
    return any(
        move.asset_id == asset_id
        and account_id in {move.src_account_id, move.dest_account_id, creator}
        for move in (command.transfer_asset for command in commands)
    )


def nested(details: dict[tuple[str, str], str]) -> dict[str, Any]:
    """Return details as the JSON that clients read: by writer, then by name."""
    found: dict[str, Any] = {}
    for (writer, key), value in details.items():
        found.setdefault(writer, {})[key] = value
    return found


def _domain(account_id: str) -> str:
    return account_id.split("@")[1]
