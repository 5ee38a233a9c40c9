"""Follows a replicated ledger by its signed headers, and asks several nodes whether they agree."""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from client_sdk.errors import (
    HeaderUnavailableError,
    LedgerForkError,
    LightBlockError,
    ProofError,
    StaleProofError,
    TransportError,
)
from client_sdk.ledger.light_client.cometbft_rpc import LightBlockSource
from client_sdk.ledger.light_client.light_block import LightBlock
from client_sdk.ledger.light_client.rpc_forms import decode_light_block, encode_light_block
from client_sdk.ledger.light_client.trust import TRUSTING_PERIOD_S, ChainTrust
from client_sdk.ledger.light_client.verification import (
    NotEnoughTrustError,
    check_light_block,
    check_rival,
    verify_light_block,
)

_NS_PER_MS: Final = 1_000_000
_POLL_S: Final = 0.05
_FOREVER_S: Final = 2**62


class LightBlockStore(Protocol):
    """Where the newest verified block is kept: trust goes on from there after a restart."""

    def load(self) -> bytes | None:
        """Return the block that was saved last, or None."""
        ...

    def save(self, block: bytes, /) -> None:
        """Keep a block in place of the one before."""
        ...


class LightClient:
    """Follows one chain. Use it from one thread at a time."""

    def __init__(
        self,
        sources: Sequence[LightBlockSource],
        trust: ChainTrust,
        *,
        blocks: LightBlockStore,
        begins_anew: bool = False,
        trusting_period_s: int = TRUSTING_PERIOD_S,
        timeout_s: float = 15,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Prepare; the first call asks the nodes.

        Args:
            sources: The nodes; the first one is followed, the others are asked whether they agree.
            trust: Where to begin if no block was kept.
            blocks: Where the newest verified block is kept.
            begins_anew: Whether the trust counts though a block was kept.
            trusting_period_s: How long validators are trusted after a block of theirs.
            timeout_s: How long to wait for a block that is about to be made.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._primary, *self._witnesses = sources
        self._trust = trust
        self._blocks = blocks
        self._begins_anew = begins_anew
        self._trusting_period_s = self._period_s = trusting_period_s
        self._timeout_s = timeout_s
        self._now_ms = now_ms
        self._known: LightBlock | None = None

    def newest(self) -> LightBlock:
        """Return the newest block, verified, and confirmed by another node where there are others.

        Raises:
            LedgerForkError: Validators have signed two histories.
            ProofError: What the node shows is not verified, older than what was seen, or nobody
                confirms it.
            TransportError: The node cannot be reached.
        """
        return self._accept(self._primary.light_block())

    def find(self, app_hash: bytes) -> LightBlock:
        """Return the block whose header commits to a state that was read after `newest`.

        The header above a block commits to the state that the block leads to, so it may be about to
        be made.

        Args:
            app_hash: What commits to the state.

        Raises:
            StaleProofError: There is none: the state is an older one, or the node is behind.
            LedgerForkError: Validators have signed two histories.
            ProofError: What the node shows is not verified, or nobody confirms it.
            TransportError: The node cannot be reached.
        """
        deadline = time.monotonic() + self._timeout_s
        block = self._get_known()
        while block.header.app_hash != app_hash:
            block = self._accept(self._wait_for(block.header.height + 1, deadline))
        return block

    def _wait_for(self, height: int, deadline: float) -> LightBlock:
        while True:
            try:
                return _block_at(self._primary, height)
            except HeaderUnavailableError:
                if time.monotonic() > deadline:
                    raise StaleProofError(
                        f"no header up to {height - 1} commits to the state that was read: it is "
                        "an older one, or of another ledger"
                    ) from None
                time.sleep(_POLL_S)

    def _accept(self, block: LightBlock) -> LightBlock:
        """Return a block of the primary once it is verified and confirmed, and keep it."""
        known = self._get_known()
        if block.header.height == known.header.height:
            if block.header.hash() != known.header.hash():
                check_rival(known, block)
                raise _fork(known, block)
            return known
        if block.header.height < known.header.height:
            raise StaleProofError(
                f"{self._primary.name}: it is at header {block.header.height}, but "
                f"{known.header.height} was seen before: it lags behind, or was set back"
            )
        self._verify(known, block, self._primary)
        self._confirm(known, block)
        self._blocks.save(encode_light_block(block))
        self._known, self._period_s = block, self._trusting_period_s
        return block

    def _get_known(self) -> LightBlock:
        """Return the newest block that is trusted, also from before the process began."""
        if self._known is None:
            kept = None if self._begins_anew else self._blocks.load()
            self._known = self._begin() if kept is None else self._go_on(kept)
        return self._known

    def _go_on(self, kept: bytes) -> LightBlock:
        try:
            block = decode_light_block(kept)
            check_light_block(block, self._trust.chain_id)
        except LightBlockError as error:
            raise LightBlockError(f"the header that was kept is of no use: {error}") from None
        return block

    def _begin(self) -> LightBlock:
        """Return the block that the trust begins with, from the first node that has it."""
        refusals: list[str] = []
        for source in (self._primary, *self._witnesses):
            try:
                block = source.light_block(self._trust.height)
                self._trust.check(block)
            except (LightBlockError, TransportError) as error:
                refusals.append(str(error))
            else:
                if self._trust.peer_keys is not None:
                    self._period_s = _FOREVER_S
                return block
        raise LightBlockError(
            f"no node shows header {self._trust.height}, to begin with: {'; '.join(refusals)}"
        )

    def _verify(self, known: LightBlock, found: LightBlock, source: LightBlockSource) -> None:
        """Verify a block, by blocks in between where too many validators have changed."""
        pending = [found]
        while pending:
            try:
                verify_light_block(
                    known,
                    pending[-1],
                    now_ns=self._now_ms() * _NS_PER_MS,
                    trusting_period_s=self._period_s,
                )
            except NotEnoughTrustError:
                middle = (known.header.height + pending[-1].header.height) // 2
                pending.append(_block_at(source, middle))
            else:
                known = pending.pop()

    def _confirm(self, known: LightBlock, found: LightBlock) -> None:
        """Ask the other nodes for the same header: at least one must have it, or get it in time.

        Raises:
            LedgerForkError: One has another header that is as well signed.
            ProofError: None has it.
        """
        deadline = time.monotonic() + self._timeout_s
        while refusals := self._refusals(known, found):
            is_late = any(isinstance(error, StaleProofError) for _, error in refusals)
            if not is_late or time.monotonic() > deadline:
                words = "; ".join(f"{name}: {error}" for name, error in refusals)
                raise ProofError(
                    f"no other node confirms header {found.header.height} of "
                    f"{self._primary.name}: {words}"
                )
            time.sleep(_POLL_S)

    def _refusals(
        self, known: LightBlock, found: LightBlock
    ) -> list[tuple[str, ProofError | TransportError]]:
        """Return why each of the other nodes does not confirm a header; nothing where one does."""
        refusals: list[tuple[str, ProofError | TransportError]] = []
        for witness in self._witnesses:
            try:
                self._compare(known, found, witness)
            except LedgerForkError:
                raise
            except (ProofError, TransportError) as error:
                refusals.append((witness.name, error))
        return refusals if len(refusals) == len(self._witnesses) else []

    def _compare(self, known: LightBlock, found: LightBlock, witness: LightBlockSource) -> None:
        """Compare the header with that of another node, at the height that both have."""
        try:
            other = witness.light_block(found.header.height)
        except HeaderUnavailableError:
            other = witness.light_block()
            if known.header.height < other.header.height < found.header.height:
                found = _block_at(self._primary, other.header.height)
                self._verify(known, found, self._primary)
            elif other.header.height == known.header.height:
                found = known
        if other.header.height != found.header.height:
            raise StaleProofError(f"it is at header {other.header.height}")
        if other.header.hash() != found.header.hash():
            # Only what is well signed is a second history; the rest is a node that errs.
            if other.header.height > known.header.height:
                self._verify(known, other, witness)
            else:
                check_rival(found, other)
            raise _fork(found, other)


def _block_at(source: LightBlockSource, height: int) -> LightBlock:
    """Return the block at a height; with another one in its place bisection would not end."""
    block = source.light_block(height)
    if block.header.height != height:
        raise LightBlockError(
            f"{source.name}: header {block.header.height} was given for header {height}"
        )
    return block


def _fork(known: LightBlock, found: LightBlock) -> LedgerForkError:
    return LedgerForkError(
        f"the ledger's validators have signed two headers {known.header.height}: "
        f"{known.header.hash().hex()} and {found.header.hash().hex()}",
        known=encode_light_block(known),
        found=encode_light_block(found),
    )
