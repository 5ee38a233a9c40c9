"""Credentials put out of force and back: in their status list first, then in their own record.

Both are checked by verifiers, and the stricter wins. A crash between the two leaves the credential
refused; the operator does it again, which is no error. No list takes a revocation back, also where
another instance wrote it at this moment, or its record does not tell of it yet.
"""

from typing import Final, Literal

import structlog

from client_sdk.credentials.token_status_list import Status
from client_sdk.errors import CredentialStateError
from client_sdk.issuer import Issuer
from node.issuer.status_lists import StatusLists
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredCredential

State = Literal["active", "suspended", "revoked"]
_STATUS: Final[dict[State, Status]] = {
    "active": Status.VALID,
    "suspended": Status.SUSPENDED,
    "revoked": Status.INVALID,
}
_STATE: Final = {status: state for state, status in _STATUS.items()}
_BEFORE: Final[dict[State, tuple[State, ...]]] = {
    "active": ("suspended",),
    "suspended": ("active",),
    "revoked": ("active", "suspended"),
}
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


class Revocations:
    """Changes the states of one issuer's credentials. Safe to share between threads."""

    def __init__(self, store: IssuerStore, issuer: Issuer, status_lists: StatusLists) -> None:
        """Take what is written to.

        Args:
            store: Which credentials were issued.
            issuer: Writes their records.
            status_lists: Where their statuses stand.
        """
        self._store = store
        self._issuer = issuer
        self._status_lists = status_lists

    def state(self, record_id: str) -> State:
        """Return the state of a credential, as its record or else its list has it.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            TransportError: The ledger cannot be reached.
        """
        return self._state(record_id, self._store.credentials.find(record_id))

    def change(self, record_id: str, state: State) -> None:
        """Give a credential a state; one that it has already is no error.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: Its state does not allow this, or was changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        row = self._store.credentials.find(record_id)
        before = self._state(record_id, row)
        if state == "revoked":
            # First: nothing more is issued under the grant that it came of.
            self._store.refresh_tokens.end_of_credential(record_id)
        if before != state and before not in _BEFORE[state]:
            raise CredentialStateError(
                f"credential {record_id} is {before}, so it cannot become {state}"
            )
        self._write_list(row, state)
        if before != state and (row is None or row.batch_id is None):
            self._write_record(record_id, state)
        self._store.credentials.set_state(record_id, state)
        _log.info("credential_changed", record=record_id, state=state)

    def _state(self, record_id: str, row: StoredCredential | None) -> State:
        if row is None or row.batch_id is None:
            return self._issuer.state(record_id)
        list_id, index = _place_of(row)
        return _STATE[self._status_lists.status(list_id, index)]

    def _write_list(self, row: StoredCredential | None, state: State) -> None:
        if row is not None and row.list_id is not None:
            list_id, index = _place_of(row)
            self._status_lists.set_statuses(list_id, {index: _STATUS[state]})

    def _write_record(self, record_id: str, state: State) -> None:
        match state:
            case "active":
                self._issuer.reinstate(record_id)
            case "suspended":
                self._issuer.suspend(record_id)
            case "revoked":
                self._issuer.revoke(record_id)


def _place_of(row: StoredCredential) -> tuple[str, int]:
    if row.list_id is None or row.list_index is None:
        raise CredentialStateError(f"credential {row.record_id} stands in no status list")
    return row.list_id, row.list_index
