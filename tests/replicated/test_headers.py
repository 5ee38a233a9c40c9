"""A wallet that trusts no peer: the headers that real peers decided, and proofs below them."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.command_line import run_inside
from support.gateway_world import write_config
from support.header_chain import KeptBlock
from support.peer_lab import PeerLab
from support.presentation_world import LEDGER_ID, World

from chaincode.replication import chain_id
from client_sdk.errors import LightBlockError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account, set_account_detail
from client_sdk.ledger.light_client import (
    ChainTrust,
    CometBftRpc,
    LightClient,
    decode_light_block,
)
from client_sdk.ledger.proven_ledger import ProvenLedger
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import LedgerAccount
from node.config import load_config
from node.gateway.config import GatewayConfig
from node.gateway.ledger_reader import build_reader
from node.ledger.genesis import ADMIN_ACCOUNT

pytestmark = pytest.mark.xdist_group("replication")

HOLDER = "w_headers@holder"
PASSPHRASE = {"TEGATA_PASSPHRASE": "a passphrase of a test"}


def trust_in(lab: PeerLab) -> ChainTrust:
    keys = [peer.folder.peer().peer_key for peer in lab.peers]
    return ChainTrust.in_peers(chain_id(lab.ledger_id), keys)


def test_proofs_below_the_headers_of_two_peers(lab: PeerLab) -> None:
    kept, http = KeptBlock(), HttpClient()
    sources = [CometBftRpc(peer.rpc, http) for peer in lab.peers[:2]]
    light_client = LightClient(sources, trust_in(lab), blocks=kept)
    with lab.client(lab.peers[1]) as client:
        reader = ProvenLedger(client, lab.ledger_id, light_client=light_client)
        before = light_client.newest().header.height
        for number in range(3):
            client.submit(set_account_detail(ADMIN_ACCOUNT, "proven", str(number)))
            assert reader.signatories(ADMIN_ACCOUNT) == {lab.admin_key.public_key}
    assert decode_light_block(kept.data or b"").header.height > before
    http.close()


def test_a_wallet_checks_its_ledger_by_headers(lab: PeerLab, tmp_path: Path) -> None:
    key = AccountKey.generate()
    with lab.client(lab.peers[0]) as admin:
        admin.submit(create_account(HOLDER, key.public_key))
    account = LedgerAccount(
        account_id=HOLDER,
        ledger_id=lab.ledger_id,
        torii=lab.peers[0].torii,
        registered_by=ADMIN_ACCOUNT,
        issuer_url="https://issuer.example",
    )
    contents = WalletContents(seed=key.seed, trust_anchors="", account=account)
    file, (passphrase,) = tmp_path / "wallet", PASSPHRASE.values()
    Vault.create(file, passphrase, contents.to_fields(), profile=CHEAPEST)
    headers = [word for peer in lab.peers[:2] for word in ("--headers", peer.rpc)]
    words = ("wallet", "check-ledger", file, *headers, "--json")
    result = run_inside(*words, env=PASSPHRASE)
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["account"], found["key"]) == (HOLDER, "in force")
    kept = WalletContents.from_fields(Vault.open(file, passphrase).contents).light_block
    height = decode_light_block(kept.encode()).header.height
    assert height > 1
    # Again, from what was kept; and anew, from a header that somebody vouches for.
    assert run_inside(*words, env=PASSPHRASE).exit_code == 0
    http = HttpClient()
    trusted = CometBftRpc(lab.peers[1].rpc, http).light_block(height)
    http.close()
    for header_hash, is_right in ((trusted.header.hash(), True), (bytes(32), False)):
        result = run_inside(
            *words, "--trusted-header", f"{height}:{header_hash.hex()}", env=PASSPHRASE
        )
        assert (result.exit_code == 0) == is_right
        assert is_right or isinstance(result.exception, LightBlockError)


def test_a_gateway_reads_below_the_headers_of_two_peers(lab: PeerLab, tmp_path: Path) -> None:
    """It begins with the genesis block, then with what it kept, then with what is vouched for."""
    settings: dict[str, Any] = {
        "prove_ledger": True,
        "headers": [peer.rpc for peer in lab.peers[:2]],
        "header_file": str(tmp_path / "kept.header"),
    }
    kept, heights = tmp_path / "kept.header", []
    with closing(HttpClient()) as http, lab.client(lab.peers[1]) as client:
        for trusted in (None, None, "now", "nonsense"):
            if trusted == "now":
                kept.unlink()
                newest = CometBftRpc(lab.peers[0].rpc, http).light_block().header
                settings["trusted_header"] = f"{newest.height}:{newest.hash().hex()}"
            elif trusted is not None:
                settings["trusted_header"] = f"{heights[-1] + 1}:{'ab' * 32}"
            path = write_config(tmp_path, World(), **settings)
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(LEDGER_ID, lab.ledger_id), encoding="utf-8")
            reader = build_reader(load_config(path, GatewayConfig), client, http)
            assert reader is not None
            client.submit(set_account_detail(ADMIN_ACCOUNT, "gateway", str(len(heights))))
            if trusted == "nonsense":
                with pytest.raises(LightBlockError, match="is not the one that is trusted"):
                    reader.signatories(ADMIN_ACCOUNT)
                break
            assert reader.signatories(ADMIN_ACCOUNT) == {lab.admin_key.public_key}
            heights.append(decode_light_block(kept.read_bytes()).header.height)
    assert heights == sorted(set(heights))


@pytest.mark.parametrize(
    "words",
    [
        ("--trusted-header", "5:" + "ab" * 32),
        ("--headers", "http://127.0.0.1:1", "--trusted-header", "5"),
        ("--headers", "http://127.0.0.1:1", "--trusted-header", "0:" + "ab" * 32),
    ],
)
def test_a_wrong_command_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "wallet"
    file.touch()
    result = run_inside("wallet", "check-ledger", file, *words, env=PASSPHRASE)
    assert result.exit_code == 2
