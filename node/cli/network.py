"""What an operator does with the keys of the network: make accounts, register issuers."""

from pathlib import Path
from typing import Final, Self

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.commands_pb2 import Command, CreateRole
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.queries_pb2 import GetRoles, Query
from chaincode.records import IssuerRecord
from client_sdk.errors import QueryFailedError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import append_role, create_account, set_record
from node.config import load_config
from node.errors import ConfigError
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.genesis import ADMIN_ACCOUNT

OBSERVER_ROLE: Final = "observer"
_OBSERVE: Final = (
    RolePermission.can_get_all_acc_detail,
    RolePermission.can_get_all_accounts,
    RolePermission.can_get_all_signatories,
    RolePermission.can_get_blocks,
    RolePermission.can_get_peers,
)


def observer_commands(account_id: str, *, has_role: bool) -> list[Command]:
    """Return what lets an account read the ledger, and change nothing of others.

    Args:
        account_id: The account, which exists.
        has_role: Whether the ledger has the role already.
    """
    role = CreateRole(role_name=OBSERVER_ROLE, permissions=_OBSERVE)
    made = [] if has_role else [Command(create_role=role)]
    return [*made, append_role(account_id, OBSERVER_ROLE)]


class Network:
    """A running node together with the keys of its administrator and registrar."""

    def __init__(self, folder: Path) -> None:
        """Read `node.toml` and the keys in the node's folder.

        Raises:
            ConfigError: The configuration cannot be used.
            KeyFormatError: A key is missing.
        """
        self.torii = load_config(folder / FILE_NAME, NodeConfig).torii
        self._clients = {
            account: LedgerClient(
                self.torii,
                account,
                AccountKey.load(folder / "keys" / f"{account}.priv"),
                timeout_s=15,
            )
            for account in (ADMIN_ACCOUNT, REGISTRY_ACCOUNT)
        }
        self.ledger_id = self._clients[ADMIN_ACCOUNT].ledger_id()

    def create_account(self, account_id: str, public_key: str) -> None:
        """Make an account with its domain's default role.

        Raises:
            TransactionFailedError: It exists, or its name is not acceptable.
            TransportError: The node cannot be reached.
        """
        self._clients[ADMIN_ACCOUNT].submit(create_account(account_id, public_key))

    def ensure_account(self, account_id: str, public_key: str) -> None:
        """Make an account where there is none; one that has this key already is left as it is.

        Raises:
            ConfigError: The account has other keys.
            TransactionFailedError: Its name is not acceptable.
            TransportError: The node cannot be reached.
        """
        try:
            found = self._clients[ADMIN_ACCOUNT].signatories(account_id)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            self.create_account(account_id, public_key)
            return
        if public_key not in found:
            raise ConfigError(f"{account_id} is there already, with another key")

    def create_observer(self, account_id: str, public_key: str) -> None:
        """Make an account that may read the ledger, and change nothing of others; with its role.

        Raises:
            TransactionFailedError: It exists, or its name is not acceptable.
            TransportError: The node cannot be reached.
        """
        admin = self._clients[ADMIN_ACCOUNT]
        roles = admin.find(Query.Payload(get_roles=GetRoles())).roles_response.roles
        commands = observer_commands(account_id, has_role=OBSERVER_ROLE in roles)
        admin.submit(create_account(account_id, public_key), *commands)

    def register_issuer(self, record_id: str, record: IssuerRecord) -> None:
        """Put an issuer on the registry.

        Raises:
            TransactionFailedError: The ledger refused.
            TransportError: The node cannot be reached.
        """
        registry = self._clients[REGISTRY_ACCOUNT]
        registry.submit(set_record(REGISTRY_ACCOUNT, record_id, record))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
