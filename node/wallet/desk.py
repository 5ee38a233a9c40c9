"""What lies on the desk: the wallet, what is under way, and what waits for a decision."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from client_sdk.escrow.paper_backup import PaperShare
from client_sdk.wallet.consent import PendingRequest
from client_sdk.wallet.offer_review import ReviewedOffer
from node.wallet.devices import Devices
from node.wallet.errands import Resume
from node.wallet.jobs import Job, Jobs
from node.wallet.keeper import WalletKeeper
from node.wallet.my_number_card import CardReader
from node.wallet.pairing import PhoneAccess
from node.wallet.recovery_errands import FinishRecovery, MadeCard, is_recovering
from node.web.languages import gettext_noop

_Item = TypeVar("_Item")
_KEPT: Final = 20
RECOVERY: Final = gettext_noop("Your account is recovered")
RESUMING: Final = gettext_noop("Credentials that you are waiting for")


class Shelf(Generic[_Item]):
    """Things under random ids, the newest twenty; none outlives the process or a locked wallet."""

    def __init__(self) -> None:
        """Begin empty."""
        self._items: OrderedDict[str, _Item] = OrderedDict()

    def add(self, item: _Item) -> str:
        """Put something on it; return its id."""
        key = secrets.token_urlsafe(16)
        self._items[key] = item
        while len(self._items) > _KEPT:
            self._items.popitem(last=False)
        return key

    def find(self, key: str) -> _Item | None:
        """Return what lies under an id; None for nothing."""
        return self._items.get(key)

    def take(self, key: str) -> _Item | None:
        """Take something off; of several who do so at once one has it, the others None."""
        return self._items.pop(key, None)

    def remove(self, key: str) -> None:
        """Take something off, if it is there."""
        self._items.pop(key, None)

    def clear(self) -> None:
        """Take all off."""
        self._items.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferOnDesk:
    """An offer that its holder is shown.

    Attributes:
        link: As it was scanned or pasted.
        review: Who offers what.
    """

    link: str = field(repr=False)
    review: ReviewedOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a request.

    Attributes:
        verifier_name: Who asked.
        is_shared: Whether something was shown.
        redirect_uri: Where the verifier wants the browser to go; None for nowhere.
    """

    verifier_name: str
    is_shared: bool
    redirect_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """What forms are filled in with, so that a resident need not type it.

    Attributes:
        issuer: The address of the issuer's service.
        torii: `host:port` of a ledger node.
        root_certificates: The certificates, PEM text, that a node over TLS must lead to.
        agents: The addresses of escrow agents.
    """

    issuer: str = ""
    torii: str = ""
    root_certificates: str = ""
    agents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSheets:
    """A paper backup that its holder prints.

    Attributes:
        sheets: The sheets.
        needed: How many of them bring the wallet back.
    """

    sheets: tuple[PaperShare, ...] = field(repr=False)
    needed: int


class Desk:
    """Everything that the pages share, at this computer and at a paired phone."""

    def __init__(
        self,
        keeper: WalletKeeper,
        devices: Devices,
        *,
        suggestions: Suggestions,
        phone: PhoneAccess | None = None,
        card_reader: CardReader | None = None,
    ) -> None:
        """Bring it together.

        Args:
            keeper: The wallet.
            devices: The paired browsers.
            suggestions: For forms.
            phone: How a phone reaches the page; None where it cannot.
            card_reader: This computer's; None where cards cannot be read here.
        """
        self.keeper = keeper
        self.devices = devices
        self.suggestions = suggestions
        self.phone = phone
        self.card_reader = card_reader
        self.jobs = Jobs()
        self.offers: Shelf[OfferOnDesk] = Shelf()
        self.requests: Shelf[PendingRequest] = Shelf()
        self.outcomes: Shelf[Outcome] = Shelf()
        self.cards: Shelf[MadeCard] = Shelf()
        self.papers: Shelf[PaperSheets] = Shelf()
        self._recovery: Job | None = None
        keeper.on_lock = self._clear

    def go_on(self) -> None:
        """Go on with what was under way before: a recovery, credentials that are not here yet."""
        with self.keeper.use() as wallet:
            has_issuances, recovering = bool(wallet.issuance.pending), is_recovering(wallet)
        if has_issuances:
            self.jobs.start(RESUMING, Resume(keeper=self.keeper), back="/")
        if recovering:
            self.finish_recovery()

    def finish_recovery(self) -> str:
        """Have the recovery finished once its time has come; return the page that tells of it."""
        if self._recovery is None or self._recovery.is_over():
            work = FinishRecovery(keeper=self.keeper)
            self._recovery = self.jobs.start(RECOVERY, work, back="/recovery")
        return f"/jobs/{self._recovery.job_id}"

    def _clear(self) -> None:
        # Not the recovery cards: each exists once, and is shown until its holder has it on paper.
        for shelf in (self.offers, self.requests, self.outcomes, self.papers):
            shelf.clear()
