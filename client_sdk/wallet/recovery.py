"""The wallet on a new phone: its key takes the lost one's place, and credentials follow."""

from client_sdk.ledger.guard_state import SeenRecovery
from client_sdk.tracing import traced
from client_sdk.wallet.credential_renewal import Renewal, bound_keys, renew_credentials
from client_sdk.wallet.key_recovery import KeyRecovery, RecoveryAgents
from client_sdk.wallet.session import WalletSession


class WalletRecovery:
    """The recovery of the account of one wallet, for the key of this phone."""

    def __init__(self, session: WalletSession) -> None:
        """Work on an open wallet."""
        self._session = session

    @traced("recovery.open")
    def open(self, agents: RecoveryAgents, *, record_id: str | None = None) -> SeenRecovery:
        """Open a recovery of the account: this wallet's key comes, the lost phone's goes.

        Args:
            agents: The escrow agents together.
            record_id: The recovery that the issuer approved beforehand; by default a new one.

        Raises:
            NotRegisteredError: The wallet knows no account.
            RecoveryError: No guard stands on the account, or it is not clear which key was lost.
            GuardRefusedError: Another recovery is open.
            TransactionFailedError: The ledger refused for another reason.
            TransportError: The node or the agents cannot be reached.
        """
        keys = bound_keys(self._session.contents.credentials.values())
        return self._key_recovery(agents).open(known_keys=keys, record_id=record_id)

    @traced("recovery.finish")
    def finish(self, agents: RecoveryAgents) -> None:
        """Carry the recovery out: from the next block on the account has this wallet's key.

        The credentials are still bound to the lost key: renew them next.

        Raises:
            NotRegisteredError: The wallet knows no account.
            RecoveryError: No recovery was opened for this wallet's key.
            GuardRefusedError: The delay has not passed, or the recovery was vetoed or has lapsed.
            TransactionFailedError: The ledger refused for another reason.
            TransportError: The node or the agents cannot be reached.
        """
        self._key_recovery(agents).finish()

    def renew_credentials(self) -> tuple[Renewal, ...]:
        """Have every credential that is bound to a lost key revoked and issued anew to this one.

        What cannot be had now is told with its reason, and can be asked for again.

        Raises:
            NotRegisteredError: The wallet has no account yet.
        """
        return renew_credentials(self._session)

    def _key_recovery(self, agents: RecoveryAgents) -> KeyRecovery:
        return KeyRecovery(self._session.ledger, agents, new_key=self._session.key.public_key)
