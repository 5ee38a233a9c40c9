"""An authority that shares an issuer's key: its folder, and its signer as a real process."""

import hashlib
import sys
from pathlib import Path
from typing import Final

from support.processes import NodeProcess

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
