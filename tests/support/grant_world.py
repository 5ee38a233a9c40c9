"""A holder's wallet, a gateway and two verifiers over a ledger in memory: all parts are real.

HTTP goes to the gateway's application in this process; the ledger is a `MemoryLedger` with the real
rules. Nothing waits, and a test moves the one clock.
"""

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import requests
from flask import Flask
from requests.adapters import BaseAdapter
from support.gateway_world import GatewayWorld
from support.memory_ledger import MemoryLedger, named_key
from support.presentation_world import (
    GATEWAY,
    HOLDER,
    ISSUER,
    LEDGER_ID,
    NOW_MS,
    RESIDENT,
    RecordTable,
    World,
)
from urllib3 import HTTPResponse

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import IdentityRecord, SeenRecord, decode_record, parse_seen_id
from client_sdk.http.client import HttpClient
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.verifier.standing_client import StandingClient
from client_sdk.wallet import Answer, Wallet, WalletSession
from client_sdk.wallet.consent import PendingRequest
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import LedgerAccount, StoredCredential
from node.gateway.app import build_standing, create_app

PASSPHRASE: Final = "a passphrase for this test"
GATEWAY_URL: Final = "http://127.0.0.1:8080"


class AppAdapter(BaseAdapter):
    """Sends what `requests` sends to an application in this process.

    Attributes:
        is_cut: While True, answers are lost on their way: the application has acted all the same.
        kept: Where it is a list, forms that are posted are put there and lost.
    """

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self._client = app.test_client()
        self.is_cut = False
        self.kept: list[dict[str, str]] | None = None

    def send(
        self, request: requests.PreparedRequest, *_options: Any, **_more: Any
    ) -> requests.Response:
        """Call the application."""
        if self.kept is not None and request.method == "POST":
            self.kept.append(dict(parse_qsl(str(request.body))))
            raise requests.ConnectionError("the test kept what was posted")
        parts = urlsplit(str(request.url))
        answer = self._client.open(
            f"{parts.path}?{parts.query}",
            method=request.method,
            headers=dict(request.headers),
            data=request.body,
        )
        if self.is_cut:
            raise requests.ConnectionError("the test cut the line")
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(dict(answer.headers))
        response.raw = HTTPResponse(body=BytesIO(answer.data), preload_content=False)
        return response

    def close(self) -> None:
        """Nothing is open."""


class RealRecords(RecordTable):
    """The table of the small world of presentations, on a ledger with the real rules."""

    def __init__(self, ledger: MemoryLedger) -> None:
        super().__init__()
        self.ledger = ledger
        self.client = ledger.client(GATEWAY)

    def put(self, account: str, record_id: str, record: IdentityRecord) -> None:
        self.ledger.write_record(account, record_id, record)

    def record(
        self, account_id: str, record_id: str, kind: Any, *, writer: str | None = None
    ) -> Any:
        return self.client.record(account_id, record_id, kind, writer=writer)

    def signatories(self, account_id: str) -> frozenset[str]:
        return self.client.signatories(account_id)

    def build_transaction(self, *commands: Command) -> Transaction:
        return self.client.build_transaction(*commands)

    def sign_transaction(self, transaction: Transaction) -> None:
        self.client.sign_transaction(transaction)

    def send(self, transaction: Transaction) -> None:
        self.client.send(transaction)


@dataclass
class GrantWorld:
    """The parts, wired.

    Attributes:
        folder: An empty folder.
        changes: What stands otherwise in the gateway's configuration.
        encrypt_responses: Whether wallets encrypt what they send.
        ledger: The ledger; its clock is the world's.
        gateway: The gateway's application with its verifiers `city` and `bank`.
        wallet: The holder's wallet, with one credential.
        wallet_line: What the wallet's HTTP goes through.
        lines: What the verifiers' HTTP goes through, the newest last.
    """

    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)
    encrypt_responses: bool = True
    ledger: MemoryLedger = field(init=False)
    gateway: GatewayWorld = field(init=False)
    wallet: Wallet = field(init=False)
    wallet_line: AppAdapter = field(init=False)
    lines: list[AppAdapter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._now_ms = NOW_MS
        self.ledger = MemoryLedger.tegata(clock=lambda: self.now_ms)
        self.ledger.add_account(ISSUER, roles=("issuer",))
        self.ledger.add_account(GATEWAY, roles=("gateway",))
        self.ledger.add_account(HOLDER)
        records = RealRecords(self.ledger)
        world = World(ledger=records, now_ms=self._now_ms, holder=named_key(HOLDER))
        self.gateway = GatewayWorld(
            self.folder, world, encrypt_responses=self.encrypt_responses, changes=self.changes
        )
        self.standing_store = self.gateway.kept.standing
        self.standing = build_standing(
            self.gateway.config,
            store=self.standing_store,
            ledger=self.ledger.client(GATEWAY),
            now_ms=lambda: self.now_ms,
        )
        self.app = create_app(
            self.gateway.config,
            self.gateway.presentations,
            self.gateway.keys,
            standing=self.standing,
            now_ms=lambda: self.now_ms,
        )
        self.wallet_line = AppAdapter(self.app)
        self.wallet = self.open_wallet(self._make_vault(world))

    @property
    def now_ms(self) -> int:
        return self._now_ms

    def wait(self, milliseconds: int) -> None:
        """Let time pass for everybody."""
        self._now_ms += milliseconds
        self.gateway.world.now_ms = self._now_ms

    def open_wallet(self, vault: Vault) -> Wallet:
        """Open a wallet whose HTTP ends at the gateway and whose ledger is the one in memory."""
        http = HttpClient()
        self._mount(http, self.wallet_line)
        wallet = Wallet(WalletSession(vault, http=http, now_ms=lambda: self.now_ms))
        wallet._session._ledger = self.ledger.client(HOLDER, wallet._session.key)
        return wallet

    def consent(self, pending: PendingRequest) -> Answer:
        """Let the holder consent to what was read; these verifiers have no registration."""
        return self.wallet.presentation.answer(pending, beyond_registration=True)

    def verifier(self, name: str = "city") -> GatewayClient:
        """Return a verifier's client of the gateway."""
        client = GatewayClient(GATEWAY_URL, self.gateway.api_keys[name])
        self._mount(client._http, self._line())
        return client

    def standing_client(self, name: str = "city") -> StandingClient:
        """Return a verifier's client of its standing grants."""
        client = StandingClient(GATEWAY_URL, self.gateway.api_keys[name])
        self._mount(client._http, self._line())
        return client

    def receipts(self) -> list[tuple[str, int, SeenRecord]]:
        """Return grant, use and record of each receipt on the holder's account."""
        details = self.ledger.client(HOLDER).details(HOLDER, writer=GATEWAY)
        found = []
        for key, value in details.items():
            if key.startswith(SeenRecord.prefix):
                grant, use = parse_seen_id(key.removeprefix(SeenRecord.prefix))
                found.append((grant, use, decode_record(value, SeenRecord)))
        return found

    def close(self) -> None:
        self.wallet.close()
        self.gateway.close()

    def _line(self) -> AppAdapter:
        self.lines.append(AppAdapter(self.app))
        return self.lines[-1]

    def _mount(self, http: HttpClient, line: AppAdapter) -> None:
        http._session.mount(GATEWAY_URL, line)

    def _make_vault(self, world: World) -> Vault:
        credential = StoredCredential(
            record_id=world.record_id,
            credential_type=RESIDENT,
            issuer=ISSUER,
            expires_at_ms=NOW_MS + 86_400_000 * 400,
            text=world.credential,
        )
        contents = WalletContents(
            seed=world.holder.seed,
            trust_anchors=world.authority.encode_chain().decode(),
            account=LedgerAccount(
                account_id=HOLDER,
                ledger_id=LEDGER_ID,
                torii="memory.invalid:1",
                registered_by=ISSUER,
                issuer_url="https://issuer.example",
            ),
            credentials={credential.record_id: credential},
        )
        path = self.folder / "wallet"
        return Vault.create(path, PASSPHRASE, contents.to_fields(), profile=CHEAPEST)
