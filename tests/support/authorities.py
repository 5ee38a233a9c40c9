"""Authorities that share an issuer's key: their folders, and their signers as real processes."""

import hashlib
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from support.processes import NodeProcess
from support.threshold import deal

from client_sdk.authority_client import AuthorityClient, ThresholdSigner
from client_sdk.frost.keys import KeyShare
from node.cli.toml import encode_toml
from node.threshold.ceremony_files import SHARE_FILE
from node.threshold.share_file import save_share

TOKEN: Final = "token-of-the-issuer-in-this-test"
COMMAND: Final = (sys.executable, "-m", "node.cli.main", "authority", "start")


def make_authority_folder(
    folder: Path, share: KeyShare, *, issuer_url: str, issuer_account: str, ledger_id: str
) -> Path:
    folder.mkdir(parents=True)
    save_share(share, folder / SHARE_FILE)
    (folder / "authority.toml").write_text(
        encode_toml(
            {
                "listen": "127.0.0.1:0",
                "share_file": SHARE_FILE,
                "issuer_token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
                "issuer_url": issuer_url,
                "issuer_account": issuer_account,
                "ledger_id": ledger_id,
            }
        )
    )
    return folder


class AuthorityProcess(NodeProcess):
    """`tegata authority start FOLDER` as a process of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, command=COMMAND)

    @property
    def url(self) -> str:
        return f"http://{self.wait_for_log('ready')['address']}"


class Authorities:
    """Three authorities of which two sign, each in a process of its own. A context."""

    def __init__(
        self, folder: Path, *, issuer_url: str, issuer_account: str, ledger_id: str
    ) -> None:
        self.shares = deal(2, 3)
        self.folders = {
            i: make_authority_folder(
                folder / f"authority-{i}",
                share,
                issuer_url=issuer_url,
                issuer_account=issuer_account,
                ledger_id=ledger_id,
            )
            for i, share in self.shares.items()
        }
        self._running = ExitStack()
        self.processes = {
            i: self._running.enter_context(AuthorityProcess(path))
            for i, path in self.folders.items()
        }
        self.clients = {
            i: self._running.enter_context(AuthorityClient(process.url, TOKEN))
            for i, process in self.processes.items()
        }
        self.signer = ThresholdSigner(self.shares[1].group, self.clients)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.close()
