"""The face tests of one service: who may show a face, who gets the word, and how many there are.

All of it is in the memory of this process, and nowhere else: a restart forgets every test.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from client_sdk.credentials.jose import Key
from client_sdk.face.attestation import FaceAttestation
from client_sdk.face.portrait import PortraitOpening
from node.errors import ImageError
from node.face.challenge import FINAL, Challenge, Frame, Limits, Series, Vision
from node.face.errors import (
    ChallengeExpiredError,
    ChallengeOverError,
    ImageRefusedError,
    NotStartedError,
    TooManyTestsError,
    UnknownChallengeError,
    WindowToComeError,
)
from node.web.rate_limit import RateLimiter, parse_rate

TOKEN_BYTES: Final = 16
KEPT_MS: Final = 120_000
"""How long a verdict can be read."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.face")


@dataclass(frozen=True, slots=True, kw_only=True)
class TestTerms:
    """What a test is for; with either a request hash, or a key.

    Attributes:
        audience: Who is to take the attestation.
        purpose: What for.
        account: The holder's ledger account.
        portrait_commitment: What the face is compared with.
        request_hash: The one request that it is for.
        holder_key: Thumbprint of the key that an attestation of a recent test is bound to.
    """

    __test__ = False  # It is no test of pytest's.

    audience: str
    purpose: str
    account: str
    portrait_commitment: str
    request_hash: str | None
    holder_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long things last, in milliseconds, and how many tests there are.

    Attributes:
        link_ms: How long a test that nobody has begun can be begun.
        attestation_s: How long the word for one request is good, in seconds.
        recent_s: How long the word for a key is good, in seconds.
        most_open: How many tests there are at the same time at most.
    """

    link_ms: int
    attestation_s: int
    recent_s: int
    most_open: int


@dataclass(slots=True, kw_only=True)
class OpenTest:
    """A test of this service, and the word that was given for it.

    Attributes:
        id: 128 random bits, 32 hex digits.
        terms: What it is for.
        challenge: Its prompts and verdict.
        until_ms: When it is forgotten.
        attestation: The signed word; None before it is passed.
    """

    id: str
    terms: TestTerms
    challenge: Challenge
    until_ms: int
    attestation: str | None = field(default=None, repr=False)
    _capture_hash: bytes = field(repr=False)
    _result_hash: bytes = field(repr=False)

    def is_captured_with(self, token: str) -> bool:
        """Tell whether a token lets its bearer show a face."""
        return hmac.compare_digest(_hash(token), self._capture_hash)

    def is_read_with(self, token: str) -> bool:
        """Tell whether a token lets its bearer have the attestation."""
        return hmac.compare_digest(_hash(token), self._result_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeTest:
    """A new test, with its tokens, which nobody is told again.

    Attributes:
        test: The test.
        capture_token: For the one who shows a face.
        result_token: For the one who gets the attestation.
    """

    test: OpenTest
    capture_token: str = field(repr=False)
    result_token: str = field(repr=False)


class Challenges:
    """Makes tests, takes what the camera saw, gives verdicts. Safe to share between threads."""

    def __init__(
        self,
        vision: Vision,
        series: Series,
        *,
        name: str,
        signing_key: Key,
        limits: Limits,
        lifetimes: Lifetimes,
        at_once: int,
        test_rate: str,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            vision: Examines faces.
            series: Draws prompts.
            name: What attestations name as their issuer.
            signing_key: What they are signed with.
            limits: How long a test lasts, and how much of it may fail.
            lifetimes: How long other things last.
            at_once: How many faces are looked at at the same time.
            test_rate: How many tests one portrait may have.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._vision = vision
        self._drawer = series
        self._name = name
        self._signing_key = signing_key
        self._limits = limits
        self._lifetimes = lifetimes
        self._places = threading.BoundedSemaphore(at_once)
        self._limiter = RateLimiter(now_s=lambda: now_ms() / 1000)
        self._test_rate = parse_rate(test_rate)
        self._now_ms = now_ms
        self._tests: dict[str, OpenTest] = {}
        self._lock = threading.Lock()

    def create(
        self,
        opening: PortraitOpening,
        *,
        audience: str,
        purpose: str,
        account: str,
        request_hash: str | None,
        holder_key: str | None,
    ) -> MadeTest:
        """Make a test.

        Raises:
            ImageRefusedError: The portrait shows no face that can be compared with.
            TooManyRequests: This portrait had too many tests.
            TooManyTestsError: There is no room for another test now.
        """
        commitment = opening.commitment
        self.purge()
        self._check_room()
        self._limiter.count(self._test_rate, "portrait", commitment)
        try:
            with self._places:
                examination = self._vision.examine(opening.portrait)
        except ImageError as error:
            raise ImageRefusedError(
                "unfit_portrait", "The portrait cannot be compared with", str(error)
            ) from None
        capture_token, result_token = (secrets.token_urlsafe(TOKEN_BYTES) for _ in range(2))
        test = OpenTest(
            id=secrets.token_hex(TOKEN_BYTES),
            terms=TestTerms(
                audience=audience,
                purpose=purpose,
                account=account,
                portrait_commitment=commitment,
                request_hash=request_hash,
                holder_key=holder_key,
            ),
            challenge=Challenge(examination, self._drawer, limits=self._limits),
            until_ms=self._now_ms() + self._lifetimes.link_ms,
            _capture_hash=_hash(capture_token),
            _result_hash=_hash(result_token),
        )
        with self._lock:
            self._tests[test.id] = test
        _log.info("test_made", test=test.id, purpose=purpose)
        return MadeTest(test=test, capture_token=capture_token, result_token=result_token)

    def read(self, test_id: str, token: str) -> tuple[OpenTest, bool]:
        """Return a test, and whether the token is the one for the attestation.

        Raises:
            UnknownChallengeError: There is no such test, or it is neither of its tokens.
        """
        test = self._find(test_id)
        if not (test.is_captured_with(token) or test.is_read_with(token)):
            raise UnknownChallengeError
        test.challenge.expire(self._now_ms())
        return test, test.is_read_with(token)

    def start(self, test_id: str, token: str) -> OpenTest:
        """Show the first prompt: the person has consented and is before the camera.

        Raises:
            UnknownChallengeError: There is no such test, or the token is not for capturing.
            ChallengeOverError: The test has ended.
            ChallengeExpiredError: Its time is over.
        """
        test = self.capturing(test_id, token)
        now_ms = self._now_ms()
        if test.challenge.state == "waiting":
            test.until_ms = now_ms + self._limits.test_ms * 2 + KEPT_MS
        test.challenge.start(now_ms)
        return test

    def answer(
        self, test_id: str, token: str, window: int, frames: Iterable[Frame], *, follows: bool
    ) -> OpenTest:
        """Judge what the camera saw of a prompt.

        Args:
            test_id: The test.
            token: The token for capturing.
            window: The prompt's number; an answer to an earlier one changes nothing.
            frames: What came.
            follows: Whether the frames' times go on from one prompt to the next.

        Raises:
            UnknownChallengeError: There is no such test, or the token is not for capturing.
            NotStartedError: Nobody has begun it.
            ChallengeOverError: The test has ended.
            ChallengeExpiredError: Its time is over.
            WindowToComeError: The prompt was not shown yet.
            ImageRefusedError: A frame is no picture; the prompt can be answered again.
        """
        test = self.capturing(test_id, token, window=window)
        challenge = test.challenge
        if challenge.state == "waiting":
            raise NotStartedError
        try:
            is_shown = challenge.answer(
                window, frames, clock=self._now_ms, place=self._places, follows=follows
            )
        except ImageError as error:
            raise ImageRefusedError(
                "not_an_image", "A frame cannot be read as a picture", str(error)
            ) from None
        if not is_shown:
            raise WindowToComeError
        if challenge.state == "passed" and test.attestation is None:
            test.attestation = self._attest(test.terms)
        if challenge.state in FINAL:
            test.until_ms = self._now_ms() + KEPT_MS
            _log.info("test_ended", test=test.id, state=challenge.state, code=challenge.code)
        return test

    def purge(self) -> None:
        """Forget the tests whose time is over."""
        now_ms = self._now_ms()
        with self._lock:
            over = [test for test in self._tests.values() if test.until_ms <= now_ms]
            for test in over:
                del self._tests[test.id]
            running = list(self._tests.values())
        for test in over:
            test.challenge.abandon()
        for test in running:
            test.challenge.expire(now_ms)

    def _check_room(self) -> None:
        with self._lock:
            if len(self._tests) >= self._lifetimes.most_open:
                raise TooManyTestsError

    def _find(self, test_id: str) -> OpenTest:
        with self._lock:
            test = self._tests.get(test_id)
        if test is None or test.until_ms <= self._now_ms():
            raise UnknownChallengeError
        return test

    def capturing(self, test_id: str, token: str, *, window: int | None = None) -> OpenTest:
        """Return a test that goes on, for the one who may show a face.

        Args:
            test_id: The test.
            token: The token for capturing.
            window: The prompt that is answered; None where none is.

        Raises:
            UnknownChallengeError: There is no such test, or the token is not for capturing.
            ChallengeOverError: The test has ended.
            ChallengeExpiredError: Its time is over.
        """
        test = self._find(test_id)
        if not test.is_captured_with(token):
            raise UnknownChallengeError
        challenge = test.challenge
        challenge.expire(self._now_ms())
        # The answer to a window may have been lost on its way: asked again, it is told again.
        is_told_again = window is not None and window < challenge.window
        if challenge.state == "expired":
            raise ChallengeExpiredError
        if challenge.state in FINAL and not is_told_again:
            raise ChallengeOverError(challenge.state)
        return test

    def _attest(self, terms: TestTerms) -> str:
        now_s = self._now_ms() // 1000
        lasts_s = (
            self._lifetimes.recent_s
            if terms.request_hash is None
            else self._lifetimes.attestation_s
        )
        return FaceAttestation(
            issuer=self._name,
            audience=terms.audience,
            id=secrets.token_urlsafe(TOKEN_BYTES),
            issued_at=now_s,
            expires_at=now_s + lasts_s,
            purpose=terms.purpose,
            account=terms.account,
            portrait_commitment=terms.portrait_commitment,
            checks=self._vision.checks,
            thresholds=self._vision.thresholds,
            request_hash=terms.request_hash,
            holder_key=terms.holder_key,
        ).sign(self._signing_key)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
