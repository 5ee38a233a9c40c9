"""Protecting a wallet and bringing it back, in the background; each goes on where it broke off."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from client_sdk.errors import RecoveryError, TooFewAgentsError, TransportError
from client_sdk.escrow.agents_faces import find_face_service, want_faces
from client_sdk.escrow.findings import AgentFinding
from client_sdk.escrow.paper_backup import PaperShare
from client_sdk.escrow.recovery import (
    FaceTest,
    RecoveredBackup,
    recover,
    recover_from_paper,
)
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.face.portrait import PortraitOpening
from client_sdk.http.client import HttpClient
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.wallet import Wallet
from client_sdk.wallet.credential_renewal import bound_keys
from node.errors import FaceWantedError
from node.wallet.face_tests import RecoveryFace, portrait_of
from node.wallet.jobs import Job
from node.wallet.keeper import WalletKeeper
from node.web.languages import gettext_noop

_LOOK_S: Final = 5.0
_ASK_AGAIN_S: Final = 2.0
_ASKING: Final = gettext_noop("The agents are asked for the backup.")
_ANEW: Final = gettext_noop("Your wallet is made anew, with a new key.")


@dataclass(kw_only=True)
class BackUp:
    """Leave what the wallet holds now with the agents."""

    keeper: WalletKeeper

    def __call__(self, job: Job) -> str:
        """Tell each agent the account's key, and leave a new backup."""
        job.begin(gettext_noop("The agents are given the newest backup."))
        with self.keeper.use() as wallet:
            bound = wallet.escrow.bind_account() if wallet.is_registered else ()
            _require_all((*bound, *wallet.escrow.back_up()))
        return "/protection"


@dataclass(kw_only=True)
class Veto:
    """Stop a recovery of the account."""

    keeper: WalletKeeper
    record_id: str

    def __call__(self, job: Job) -> str:
        """Write the veto, unless it stands."""
        job.begin(gettext_noop("The recovery is stopped on the ledger."))
        with self.keeper.use() as wallet:
            recovery = wallet.guard.state().recovery
            if recovery is None or recovery.state != "vetoed":
                wallet.guard.veto(self.record_id)
        return "/protection"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCard:
    """A recovery card, and what else its holder keeps with it.

    Attributes:
        card: The card.
        portrait: What a face is compared with, where agents have it tested; None where not.
    """

    card: RecoveryCard = field(repr=False)
    portrait: PortraitOpening | None = field(default=None, repr=False)


@dataclass(kw_only=True)
class Protect:
    """Leave a backup with escrow agents, and guard the account's keys."""

    keeper: WalletKeeper
    agents: tuple[str, ...]
    password: str = field(repr=False)
    delay_ms: int
    has_face_test: bool
    done: Callable[[MadeCard], str]
    _card: MadeCard | None = field(default=None, repr=False)

    def __call__(self, job: Job) -> str:
        """Do what is not done yet."""
        with self.keeper.use() as wallet:
            if self._card is None:
                job.begin(gettext_noop("A sealed backup is left with the agents."))
                portrait = portrait_of(wallet) if self._has_face_test() else None
                card = wallet.escrow.protect(
                    self.agents,
                    self.password,
                    portrait_commitment=None if portrait is None else portrait.commitment,
                    profile=self.keeper.backup_profile,
                )
                self._card = MadeCard(card=card, portrait=portrait)
            if wallet.is_registered:
                job.begin(gettext_noop("The agents are told which account the card is for."))
                _require_all(wallet.escrow.bind_account())
                job.begin(gettext_noop("The guard is set on the keys of your account."))
                self._guard(wallet)
        return self.done(self._card)

    def _has_face_test(self) -> bool:
        """Tell whether a face is compared at a recovery: the holder wants it, or an agent does."""
        if self.has_face_test:
            return True
        http = HttpClient()
        try:
            agents = [parse_endpoint(url, "agent") for url in self.agents]
            return want_faces(agents, http=http)
        finally:
            http.close()

    def _guard(self, wallet: Wallet) -> None:
        escrow = wallet.escrow.escrow_account()
        if escrow is None or wallet.guard.state().guard is not None:
            return
        wallet.guard.stand(
            escrow=escrow, issuer=wallet.account.registered_by, delay_ms=self.delay_ms
        )


@dataclass(kw_only=True)
class Recover:
    """Make the wallet anew from its backup, and have the agents open the account's recovery."""

    keeper: WalletKeeper
    card: RecoveryCard = field(repr=False)
    password: str = field(repr=False)
    passphrase: str | None = field(repr=False)
    face: RecoveryFace | None
    finish: Callable[[], str]
    _recovered: RecoveredBackup | None = field(default=None, repr=False)

    def __call__(self, job: Job) -> str:
        """Do what is not done yet.

        A passphrase of None means that the wallet is back already, and only the account is not.
        """
        if self._recovered is None:
            self._recovered = self._recover(job)
        if self.passphrase is not None:
            job.begin(_ANEW)
            self.keeper.restore(self.passphrase, self._recovered)
            self.passphrase = None
        with self.keeper.use() as wallet:
            if not wallet.is_registered:
                return "/"
            job.begin(gettext_noop("The agents open the recovery of your account."))
            wallet.recovery.open(wallet.escrow.signing_agents(self._recovered.success_key))
        return self.finish()

    def _recover(self, job: Job) -> RecoveredBackup:
        """Get the backup back; agents that go away meanwhile are waited for."""

        def wait(problem: TooFewAgentsError) -> None:
            job.wait_for(problem, _ASK_AGAIN_S)
            job.begin(_ASKING)

        job.begin(_ASKING)
        http = HttpClient()
        try:
            if self.face is None and want_faces(self.card.urls, http=http):
                # Said before an attempt is made.
                raise FaceWantedError("the agents want to see a face; the portrait file is needed")
            return recover(
                self.card,
                self.password,
                http=http,
                face_test=None if self.face is None else self._face_test(self.face, job, http),
                patience=wait,
            )
        finally:
            http.close()

    def _face_test(self, face: RecoveryFace, job: Job, http: HttpClient) -> FaceTest:
        service = face.service or find_face_service(self.card.urls, http=http)
        return face.tester(job, service)


@dataclass(kw_only=True)
class RecoverFromPaper:
    """Make the wallet anew from its backup, by the sheets of a paper backup."""

    keeper: WalletKeeper
    sheets: tuple[PaperShare, ...] = field(repr=False)
    passphrase: str = field(repr=False)

    def __call__(self, job: Job) -> str:
        """Get the backup; nothing is made before it is here whole."""
        job.begin(_ASKING)
        http = HttpClient()
        try:
            recovered = recover_from_paper(self.sheets, http=http)
        finally:
            http.close()
        job.begin(_ANEW)
        self.keeper.restore(self.passphrase, recovered)
        return "/"


@dataclass(kw_only=True)
class FinishRecovery:
    """Wait for the guard's time, put this wallet's key in the lost one's place, renew."""

    keeper: WalletKeeper

    def __call__(self, job: Job) -> str:
        """Do what is not done yet; what is done stands on the ledger."""
        while not self._has_key(job):
            pass
        with self.keeper.use() as wallet:
            job.begin(gettext_noop("Your credentials are issued anew to this wallet."))
            renewals = wallet.recovery.renew_credentials()
            problem = next((one.problem for one in renewals if one.may_pass), None)
            if problem is not None:
                raise TransportError(problem)
            job.begin(gettext_noop("The agents are told of the new key."))
            # Those that are down are told at the next backup.
            wallet.escrow.bind_account()
            wallet.escrow.back_up()
        return "/"

    def _has_key(self, job: Job) -> bool:
        """Go one step towards having the account's key; tell whether it is there."""
        with self.keeper.use() as wallet:
            agents = wallet.escrow.signing_agents()
            state = agents.guard_state(wallet.account.account_id)
            if wallet.public_key in state.signatories:
                return True
            recovery = state.recovery
            if (
                recovery is None
                or recovery.new_key != wallet.public_key
                or recovery.state != "open"
                or not recovery.is_open(_now_ms())
            ):
                raise RecoveryError(
                    "no recovery for this wallet's key is open any more: it was stopped, or too "
                    "much time has passed; begin again with card and password"
                )
            if _now_ms() >= recovery.window.matures_at_ms:
                job.begin(gettext_noop("The agents put the new key in the lost one's place."))
                wallet.recovery.finish(agents)
                return True
        job.wait_until(
            gettext_noop("Your account comes back when the guard's time is over."),
            from_ms=recovery.window.opened_at_ms,
            until_ms=recovery.window.matures_at_ms + 1,
            at_most_s=_LOOK_S,
        )
        return False


def is_recovering(wallet: Wallet) -> bool:
    """Tell whether the wallet came back, and its credentials are of the lost key yet."""
    keys = bound_keys(wallet.credentials)
    return wallet.is_registered and bool(keys) and wallet.public_key not in keys


def _require_all(findings: tuple[AgentFinding, ...]) -> None:
    unreachable = [found for found in findings if found.fault == "unreachable"]
    if unreachable:
        raise TooFewAgentsError("; ".join(map(str, unreachable)), may_pass=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
