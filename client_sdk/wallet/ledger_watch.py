"""The wallet's watch over its ledger: what it proves today, and that its history only grows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chaincode.protocol.proofs_pb2 import StateEntry
from chaincode.records import GrantRecord
from client_sdk.ledger.light_client import CometBftRpc, LightClient
from client_sdk.ledger.proofs import ProvenState, record_entry
from client_sdk.ledger.proven_ledger import ProvenLedger, follow_headers
from client_sdk.wallet.session import WalletSession

_MAX_GRANTS = 31
"""Of one proof, beside the account."""


class WalletCheckpoints:
    """Keeps the newest checkpoint in the wallet's file, and so in its backup."""

    def __init__(self, session: WalletSession) -> None:
        self._session = session

    def load(self) -> bytes | None:
        """Return the signed note that was saved last, or None."""
        note = self._session.contents.checkpoint
        return note.encode() if note else None

    def save(self, note: bytes) -> None:
        """Keep a signed note in place of the one before."""
        self._session.update(lambda contents: replace(contents, checkpoint=note.decode()))


class WalletLightBlocks:
    """Keeps the newest verified header in the wallet's file, and so in its backup."""

    def __init__(self, session: WalletSession) -> None:
        self._session = session

    def load(self) -> bytes | None:
        """Return the block that was saved last, or None."""
        block = self._session.contents.light_block
        return block.encode() if block else None

    def save(self, block: bytes) -> None:
        """Keep a block in place of the one before."""
        self._session.update(lambda contents: replace(contents, light_block=block.decode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSources:
    """Where a wallet reads the headers of a replicated ledger.

    Attributes:
        urls: The RPC of CometBFT nodes: the first is followed, the others must agree.
        trusted_header: Height and hash of a header that somebody vouches for, to begin anew with;
            None where the header that was verified last counts, or else the peers that the
            ledger began with.
    """

    urls: Sequence[str]
    trusted_header: tuple[int, bytes] | None = None


def check_ledger(session: WalletSession, headers: HeaderSources | None = None) -> ProvenState:
    """Return a proof of the wallet's account and newest grants, checked against the last one seen.

    Raises:
        NotRegisteredError: The wallet has no account yet.
        LedgerForkError: The ledger's history was changed since the wallet last looked.
        ProofError: The node's answer is not proven, or not current.
        QueryFailedError: The ledger does not know the wallet's key any more.
        TransportError: The node cannot be reached, or proves nothing: an irohad does not.
    """
    account = session.account
    grants = list(session.contents.grants)[-_MAX_GRANTS:]
    entries = [
        StateEntry(account_id=account.account_id),
        *(record_entry(account.account_id, grant_id, GrantRecord) for grant_id in grants),
    ]
    ledger = ProvenLedger(
        session.ledger,
        account.ledger_id,
        checkpoints=WalletCheckpoints(session),
        light_client=None if headers is None else _light_client(session, headers),
        now_ms=session.now_ms,
    )
    _, state = ledger.read(entries)
    return state


def _light_client(session: WalletSession, headers: HeaderSources) -> LightClient:
    return follow_headers(
        session.ledger,
        session.account.ledger_id,
        [CometBftRpc(url, session.http) for url in headers.urls],
        WalletLightBlocks(session),
        trusted_header=headers.trusted_header,
        now_ms=session.now_ms,
    )
