"""The wallet and its escrow agents: what it leaves with them, and what it is made of again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from client_sdk.credentials.jose import Key
from client_sdk.errors import NotProtectedError, ServiceRefusedError
from client_sdk.escrow.account_binding import bind_account
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.findings import AgentFinding, Findings
from client_sdk.escrow.log_reading import VerifiedLog, read_logs
from client_sdk.escrow.protection import (
    HolderBinding,
    Protection,
    protect,
    update_backup,
    withdraw,
)
from client_sdk.escrow.recovery import RecoveredBackup
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.escrow.recovery_secret import RecoverySecret
from client_sdk.escrow.signing_agents import SigningAgents
from client_sdk.formats import attributes_of
from client_sdk.ledger.account_key import AccountKey
from client_sdk.sealing.vault import SENSITIVE, KdfProfile, Vault
from client_sdk.tracing import traced
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.session import WalletSession

_LONG_VALUE: Final = 100


class WalletEscrow:
    """The backups of one wallet, each of which only recovery card and password open."""

    def __init__(self, session: WalletSession) -> None:
        """Work on an open wallet."""
        self._session = session

    @property
    def protection(self) -> Protection:
        """How the wallet is protected against loss.

        Raises:
            NotProtectedError: It is not.
        """
        protection = self._session.contents.protection
        if protection is None:
            raise NotProtectedError("the wallet is not protected yet; protect it with agents first")
        return protection

    @traced("wallet.protect")
    def protect(
        self,
        agents: Sequence[str],
        password: RecoverySecret,
        *,
        threshold: int | None = None,
        card: RecoveryCard | None = None,
        portrait_commitment: str | None = None,
        profile: KdfProfile = SENSITIVE,
    ) -> RecoveryCard:
        """Leave a backup with escrow agents that only card and password open.

        Args:
            agents: Their addresses.
            password: What will open the backup: a password, or a passkey's secret.
            threshold: How many agents are needed to open it; more than half of them by default.
            card: The wallet's recovery card, where only the password changes; a new one otherwise.
            portrait_commitment: What face tests are compared with, where agents ask for them.
            profile: What one guess costs beyond the agents' evaluations.

        Returns:
            The recovery card. The wallet does not keep its secret: print it now.

        Raises:
            WeakPasswordError: The password is too easily guessed.
            NotProtectedError: A card is given, but the wallet is not protected yet.
            EscrowError: An agent did not take its part; nothing has changed.
        """
        contents = self._session.contents
        account, old = contents.account, contents.protection
        made, protection = protect(
            contents.to_backup(),
            agents,
            password,
            threshold=threshold or len(agents) // 2 + 1,
            http=self._session.http,
            now_ms=self._session.now_ms,
            binding=HolderBinding(
                account=None if account is None else account.account_id,
                approving_issuer=None if account is None else account.registered_by,
                portrait_commitment=portrait_commitment,
            ),
            replacing=None if card is None else (card, self.protection),
            kdf=profile,
            known_words=_known_words(contents),
        )
        self._keep(protection)
        if card is None and old is not None:
            withdraw(old, http=self._session.http)
        return made

    @traced("wallet.bind_account")
    def bind_account(self) -> tuple[AgentFinding, ...]:
        """Let the recovery card recover the wallet's account, by the word of the account's key.

        Do it once the wallet is protected and registered; doing it again does no harm.

        Returns:
            The agents that did not take it, and why.

        Raises:
            NotProtectedError: The wallet is not protected.
            NotRegisteredError: The wallet has no account yet.
        """
        protection, session = self.protection, self._session
        agents = (AgentClient(url, session.http) for url in protection.urls)
        return bind_account(agents, protection, account=session.account.account_id, key=session.key)

    def escrow_account(self) -> str | None:
        """Return the account whose key the agents share; None where they recover no account.

        It is the agents' own word, that enough of them give alike: as many as could use it.

        Raises:
            NotProtectedError: The wallet is not protected.
            TooFewAgentsError: Fewer agents than the threshold say the same.
        """
        protection, findings = self.protection, Findings()
        told: Counter[str] = Counter()
        for url in protection.urls:
            account = findings.ask(AgentClient(url, self._session.http), _escrow_account)
            if account is not None:
                told[account] += 1
        account, count = max(told.items(), key=lambda item: item[1], default=("", 0))
        findings.require(
            range(count), needed=protection.agents.threshold, what="who recovers the account"
        )
        return account or None

    def signing_agents(self, success_key: Key | None = None) -> SigningAgents:
        """Return the agents together, as `WalletRecovery` takes them.

        Args:
            success_key: To open a recovery: what came with the backup when card and password opened
                it. Without it the agents help to end one that was opened for this wallet's key.

        Raises:
            NotProtectedError: The wallet is not protected.
        """
        protection, session = self.protection, self._session
        return SigningAgents(
            [AgentClient(url, session.http) for url in protection.urls],
            threshold=protection.agents.threshold,
            handle=protection.handle,
            reading_key=protection.secret.owner_key,
            key=success_key or session.holder_key,
            now_ms=session.now_ms,
        )

    def back_up(self) -> tuple[AgentFinding, ...]:
        """Leave what the wallet holds now with each agent; `WalletIssuance` does it by itself.

        Returns:
            The agents that did not take it, and why. They get the next one.

        Raises:
            NotProtectedError: The wallet is not protected.
        """
        session = self._session
        protection, findings = update_backup(
            self.protection, session.contents.to_backup(), http=session.http
        )
        self._keep(protection)
        return findings

    def read_logs(self) -> tuple[tuple[VerifiedLog, ...], tuple[AgentFinding, ...]]:
        """Return what each agent logged about the backup, verified.

        Returns:
            The logs, and the agents whose log could not be read or was changed.

        Raises:
            NotProtectedError: The wallet is not protected.
        """
        protection, logs, findings = read_logs(self.protection, http=self._session.http)
        self._keep(protection)
        return logs, findings

    def _keep(self, protection: Protection) -> None:
        self._session.update(lambda newest: replace(newest, protection=protection))


def restore_vault(
    path: Path, passphrase: str, recovered: RecoveredBackup, *, profile: KdfProfile
) -> Vault:
    """Make the file of a new wallet, with a new key, from a backup; see `Wallet.recover`."""
    contents = WalletContents.from_backup(
        recovered.contents, seed=AccountKey.generate().seed, protection=recovered.protection
    )
    return Vault.create(path, passphrase, contents.to_fields(), profile=profile)


def _escrow_account(agent: AgentClient) -> str:
    """Return the account whose key an agent shares; nothing where it signs no recoveries."""
    try:
        return agent.group_key()[0]
    except ServiceRefusedError as error:
        if error.code != "not_found":
            raise
        return ""


def _known_words(contents: WalletContents) -> list[str]:
    """Return what others know of the holder: no password may be made of it alone."""
    claims = (attributes_of(credential.read()) for credential in contents.credentials.values())
    values = (value for held in claims for value in held.values())
    return [value for value in values if isinstance(value, str) and len(value) < _LONG_VALUE]
