"""The operator's page over a ledger in memory, with the records of a few holders on it."""

from pathlib import Path
from typing import Final

from support.logins import PASSWORD_HASH
from support.memory_ledger import START_MS, MemoryLedger

from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import GrantRecord, SeenRecord, seen_id
from client_sdk.ledger.commands import add_signatory, grant_permission, set_record
from node.cli.network import observer_commands
from node.config import LedgerAccess
from node.ledger.genesis import ADMIN_ACCOUNT
from node.observer.app import create_app
from node.observer.block_index import DAY_MS, BlockIndex
from node.observer.config import ObserverConfig
from node.observer.observer import Observer
from node.observer.reader import BlockReader
from node.web.logins import LoginConfig

PAGE: Final = "operator_page@tegata"
GATEWAY: Final = "gateway_1@gateway"
ESCROW: Final = "escrow@issuer"


class ObserverWorld:
    """A ledger, and a page that reads it.

    Attributes:
        now_ms: The time of the ledger's next block, and of the page.
    """

    def __init__(self, folder: Path, *, metrics_url: str | None = None) -> None:
        self.now_ms = START_MS
        self.ledger = MemoryLedger.tegata(clock=lambda: self.now_ms)
        self.ledger.add_account(GATEWAY)
        self.ledger.add_account(ESCROW)
        self.ledger.add_account(PAGE)
        admin = self.ledger.client(ADMIN_ACCOUNT)
        admin.submit(*observer_commands(PAGE, has_role=False))
        self.config = ObserverConfig(
            public_url="http://127.0.0.1:8084",
            database_url=f"sqlite:///{folder / 'page.db'}",
            metrics_url=metrics_url,
            ledger=LedgerAccess(
                address="memory.invalid:1",
                account=PAGE,
                private_key_file=folder / "account.priv",
                ledger_id=self.ledger.ledger_id(),
            ),
            logins=(LoginConfig(name="ito", password_hash=PASSWORD_HASH),),
        )
        self.index = BlockIndex(self.config.database_url)
        client = self.ledger.client(PAGE)
        self.reader = BlockReader(client, self.index)
        observer = Observer(
            config=self.config,
            ledger=client,
            index=self.index,
            reader=self.reader,
            now_ms=lambda: self.now_ms,
        )
        self.app = create_app(observer, session_key=bytes(32))

    def enrol(self, name: str) -> str:
        """Make a holder's account that lets the gateway write receipts; return it."""
        account = f"{name}@holder"
        self.ledger.add_account(account)
        return account

    def show(self, account: str, grant_id: str) -> None:
        """Let a holder grant something, and the gateway write the receipt that it was shown."""
        holder = self.ledger.client(account)
        grant = GrantRecord(
            commitment=bytes(32),
            gateway=GATEWAY,
            expires_at_ms=self.now_ms + DAY_MS,
            uses=1,
            state="live",
        )
        permission = GrantablePermission.can_set_my_account_detail
        commands = [set_record(account, grant_id, grant)]
        if grant_id == "0" * 32:
            commands.append(grant_permission(GATEWAY, permission))
        holder.submit(*commands)
        seen = SeenRecord(salted_hash=bytes(32), sealed=b"sealed")
        self.ledger.client(GATEWAY).submit(set_record(account, seen_id(grant_id, 1), seen))

    def recover(self, account: str, new_key: str) -> None:
        """Let somebody else add a key, as a recovery does."""
        holder = self.ledger.client(account)
        holder.submit(grant_permission(ESCROW, GrantablePermission.can_add_my_signatory))
        self.ledger.client(ESCROW).submit(add_signatory(account, new_key))

    def pass_days(self, days: int) -> None:
        """Let time go by."""
        self.now_ms += days * DAY_MS

    def close(self) -> None:
        self.index.close()
