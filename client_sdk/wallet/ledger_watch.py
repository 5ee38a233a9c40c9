"""The wallet's watch over its ledger: what it proves today, and that its history only grows."""

from dataclasses import replace

from chaincode.protocol.proofs_pb2 import StateEntry
from chaincode.records import GrantRecord
from client_sdk.ledger.proofs import ProvenState, record_entry
from client_sdk.ledger.proven_ledger import ProvenLedger
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


def check_ledger(session: WalletSession) -> ProvenState:
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
        now_ms=session.now_ms,
    )
    _, state = ledger.read(entries)
    return state
