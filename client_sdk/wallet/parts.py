"""A wallet's parts: each meets one verifier alone, with an account and a key of its own."""

from collections.abc import Iterator

from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vp.client_identifier import same_verifier
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.session import WalletSession


class WalletParts:
    """A wallet and its parts, as open sessions: which of them meets which verifier."""

    def __init__(self, whole: WalletSession) -> None:
        """Work on an open wallet, or on one of its parts, which has none of its own."""
        self.whole = whole
        self._open: dict[str, WalletSession] = {}

    @property
    def verifiers(self) -> tuple[str, ...]:
        """The client identifiers of the verifiers that meet a part of the wallet alone."""
        return tuple(self.whole.contents.parts)

    def __iter__(self) -> Iterator[WalletSession]:
        """Yield the wallet itself, then each of its parts."""
        yield self.whole
        yield from map(self.session, self.verifiers)

    def meeting(self, verifier: str) -> WalletSession:
        """Return what a verifier meets: its part, or the wallet itself where it has none.

        A part that never had anything to show is none yet: its enrolment broke off.

        Args:
            verifier: The verifier's client identifier, with its prefix.
        """
        name = self._name(verifier)
        if name is None or not self.whole.contents.parts[name].is_in_use:
            return self.whole
        return self.session(name)

    def made_for(self, verifier: str) -> WalletSession | None:
        """Return the part that is made for a verifier; None where none is.

        Args:
            verifier: As for `meeting`.
        """
        name = self._name(verifier)
        return None if name is None else self.session(name)

    def session(self, name: str) -> WalletSession:
        """Return a part, by the name that it has among `verifiers`."""
        if name not in self._open:
            self._open[name] = self.whole.open_part(name)
        return self._open[name]

    def separate(self, verifier: str) -> WalletSession:
        """Return the part that one verifier alone meets; it is made where none is.

        Args:
            verifier: As for `meeting`.
        """
        if self.whole.is_part:
            return self.whole
        return self.session(self._name(verifier) or self._make(same_verifier(verifier)))

    def close(self) -> None:
        """Close the connections of the wallet and of its parts."""
        for session in self._open.values():
            session.close()
        self.whole.close()

    def _name(self, verifier: str) -> str | None:
        """Return the name of a verifier's part, whichever way its identifier is spelled."""
        same = same_verifier(verifier)
        return next((name for name in self.verifiers if same_verifier(name) == same), None)

    def _make(self, name: str) -> str:
        part = WalletContents(
            seed=AccountKey.generate().seed, trust_anchors=self.whole.contents.trust_anchors
        )
        self.whole.update(lambda contents: contents.with_part(name, part))
        return name
