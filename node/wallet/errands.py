"""What the pages have done in the background: each errand goes on where it broke off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Self

from client_sdk.errors import IssuanceDeferredError, LedgerForkError, RequestError
from client_sdk.openid4vci.token_client import CardProver
from client_sdk.wallet import PreparedAnswer, Wallet
from client_sdk.wallet.consent import PendingRequest
from client_sdk.wallet.records import StoredCredential
from node.wallet.face_tests import FACE_TEST, face_tester, page_address
from node.wallet.jobs import Job
from node.wallet.keeper import WalletKeeper
from node.web.languages import gettext_noop

SENDING: Final = gettext_noop("Your permission is written to the ledger, and the answer is sent.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """A ledger node, as a form names it.

    Attributes:
        torii: `host:port`.
        root_certificates: The certificates, PEM, that its own must lead to; None for no TLS.
    """

    torii: str
    root_certificates: bytes | None

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Read the fields of the macro `node_fields`."""
        certificates = form.get("root_certificates", "").strip()
        return cls(
            torii=form.get("torii", "").strip(), root_certificates=certificates.encode() or None
        )


@dataclass(kw_only=True)
class Register:
    """Have an account made for the wallet."""

    keeper: WalletKeeper
    issuer: str
    code: str = field(repr=False)
    node: NodeAddress

    def __call__(self, job: Job) -> str:
        """Ask the issuer's service; the same code can be used again where it broke off."""
        job.begin(gettext_noop("An account is made on the ledger, under a random name."))
        with self.keeper.use() as wallet:
            if not wallet.is_registered:
                wallet.register(
                    self.issuer,
                    self.code,
                    torii=self.node.torii,
                    root_certificates=self.node.root_certificates,
                )
        return "/"


@dataclass(kw_only=True)
class UseNode:
    """Have the wallet use another ledger node from now on."""

    keeper: WalletKeeper
    node: NodeAddress

    def __call__(self, job: Job) -> str:
        """Ask the node for the account before anything is changed."""
        job.begin(gettext_noop("The node is asked whether it knows your account."))
        with self.keeper.use() as wallet:
            wallet.use_node(torii=self.node.torii, root_certificates=self.node.root_certificates)
        return "/settings"


@dataclass(kw_only=True)
class Receive:
    """Fetch what an offer holds."""

    keeper: WalletKeeper
    link: str = field(repr=False)
    tx_code: str | None = field(repr=False)
    is_one_time: bool = False
    card: Callable[[Job], CardProver] | None = field(default=None, repr=False)

    def __call__(self, job: Job) -> str:
        """Accept the offer, check and keep what comes."""
        job.begin(gettext_noop("The credential is fetched and checked."))
        card = None if self.card is None else self.card(job)
        with self.keeper.use() as wallet:
            if self.is_one_time:
                wallet.issuance.receive_one_time(self.link, tx_code=self.tx_code, card=card)
                return "/"
            try:
                credential = _receive(
                    lambda: wallet.issuance.receive(self.link, tx_code=self.tx_code, card=card), job
                )
            except IssuanceDeferredError:
                return "/"
        return f"/credentials/{credential.record_id}"


@dataclass(kw_only=True)
class ReceiveByCard:
    """Have a credential of the wallet's own issuer, by a My Number card alone."""

    keeper: WalletKeeper
    card: Callable[[Job], CardProver] = field(repr=False)

    def __call__(self, job: Job) -> str:
        """Let the card sign; what comes then is checked and kept."""
        with self.keeper.use() as wallet:
            try:
                credential = wallet.issuance.receive_by_card(self.card(job))
            except IssuanceDeferredError:
                return "/"
        return f"/credentials/{credential.record_id}"


@dataclass(kw_only=True)
class Resume:
    """Go on with the offers that were accepted before."""

    keeper: WalletKeeper

    def __call__(self, job: Job) -> str:
        """Ask for each credential that is not here yet."""
        job.begin(gettext_noop("The issuer is asked whether your credential is ready."))
        with self.keeper.use() as wallet:
            for issuance in wallet.issuance.pending:
                try:
                    _receive(partial(wallet.issuance.resume, issuance.issuance_id), job)
                except IssuanceDeferredError:
                    continue
        return "/"


@dataclass(kw_only=True)
class Share:
    """Send the answer that the holder consented to."""

    keeper: WalletKeeper
    pending: PendingRequest = field(repr=False)
    beyond_registration: bool
    done: Callable[[str | None], str]
    _prepared: PreparedAnswer | None = field(default=None, repr=False)
    _tries: int = 0

    def __call__(self, job: Job) -> str:
        """Write the grant, send the answer; the same ones as often as it takes."""
        job.begin(SENDING)
        with self.keeper.use() as wallet:
            if self._prepared is None:
                self._prepared = wallet.presentation.prepare(
                    self.pending,
                    beyond_registration=self.beyond_registration,
                    face_tester=face_tester(job),
                )
                job.begin(SENDING)
            self._tries += 1
            try:
                answer = wallet.presentation.send(self._prepared)
            except RequestError:
                # The answer may have been taken while its acknowledgement was lost.
                if self._tries > 1 and _was_seen(wallet, self._prepared):
                    return self.done(None)
                raise
        return self.done(answer.redirect_uri)


@dataclass(kw_only=True)
class Separate:
    """Give a verifier an account and a credential of its own, and read its request anew."""

    keeper: WalletKeeper
    pending: PendingRequest = field(repr=False)
    code: str = field(repr=False)
    offer: str = field(repr=False)
    tx_code: str | None = field(repr=False)
    done: Callable[[PendingRequest], str]

    def __call__(self, job: Job) -> str:
        """Do what is not done yet; until it is, the verifier meets the wallet as before."""
        with self.keeper.use() as wallet:
            own, part = wallet.account, wallet.part_for(self.pending.verifier)
            if not part.is_registered:
                job.begin(gettext_noop("An account for this verifier alone is made."))
                part.register(
                    own.issuer_url,
                    self.code,
                    torii=own.torii,
                    root_certificates=own.tls_roots,
                )
            if not part.credentials:
                job.begin(gettext_noop("The credential is fetched and checked."))
                _receive(lambda: part.issuance.receive(self.offer, tx_code=self.tx_code), job)
            anew = wallet.presentation.find_answer(self.pending.request)
        return self.done(replace(anew, waci=self.pending.waci))


@dataclass(kw_only=True)
class Decline:
    """Tell a verifier that its holder does not consent."""

    keeper: WalletKeeper
    pending: PendingRequest = field(repr=False)
    target: str

    def __call__(self, job: Job) -> str:
        """Tell it."""
        job.begin(gettext_noop("They are told that you do not agree. Nothing is shown."))
        with self.keeper.use() as wallet:
            wallet.presentation.decline(self.pending)
        return self.target


@dataclass(kw_only=True)
class Revoke:
    """Revoke a grant."""

    keeper: WalletKeeper
    grant_id: str

    def __call__(self, job: Job) -> str:
        """Revoke it, unless it is revoked already."""
        job.begin(gettext_noop("The permission is taken back on the ledger."))
        with self.keeper.use() as wallet:
            if wallet.grants.state(self.grant_id).state != "revoked":
                wallet.grants.revoke(self.grant_id)
        return "/grants"


@dataclass(kw_only=True)
class CheckLedger:
    """Have the ledger prove what it says of the account."""

    keeper: WalletKeeper

    def __call__(self, job: Job) -> str:
        """Ask for the proof, and keep two checkpoints that contradict each other."""
        job.begin(gettext_noop("The ledger is asked for a proof."))
        with self.keeper.use() as wallet:
            try:
                wallet.check_ledger()
            except LedgerForkError as fork:
                evidence = self.keeper.path.with_name(f"{self.keeper.path.name}.fork")
                evidence.write_bytes(fork.known + b"\n" + fork.found)
                raise
        return "/settings?proven=yes"


def _receive(receive: Callable[[], StoredCredential], job: Job) -> StoredCredential:
    """Return a credential, also of an issuer that has the holder's face tested first.

    Raises:
        IssuanceDeferredError: The issuer issues later for another reason.
    """
    while True:
        try:
            return receive()
        except IssuanceDeferredError as deferred:
            if deferred.face_page is None:
                raise
            page = page_address(deferred.face_page)
            job.wait_for_holder(FACE_TEST, page, deferred.interval_s)


def _was_seen(wallet: Wallet, prepared: PreparedAnswer) -> bool:
    grants = {grant.grant_id for grant in prepared.grants}
    seen = {entry.grant for entry in wallet.history() if entry.use is not None}
    return bool(grants) and grants <= seen
