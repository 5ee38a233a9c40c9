"""One call for the questions of many threads: what comes while a call is out waits for the next."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final, Generic, TypeVar

from client_sdk import tracing

_ALONE: Final = nullcontext()
_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


class _Asked(Generic[_Question, _Answer]):
    """A question, and the thread that waits: for its answer, or to ask it itself.

    Attributes:
        question: The question.
        origin: The span that asks it.
        woken: Set once either has come.
        leads: Whether the thread is to ask, its own question and what else waits.
        answer: The answer, or the error to raise.
    """

    def __init__(self, question: _Question) -> None:
        self.question = question
        self.origin = tracing.origin()
        self.woken = threading.Event()
        self.leads = False
        self.answer: _Answer | BaseException | None = None


class Gathering(Generic[_Question, _Answer]):
    """Asks questions together. A lone one is asked at once; safe to share between threads."""

    def __init__(
        self,
        ask_all: Callable[[Sequence[_Question]], Sequence[_Answer | BaseException]],
        *,
        most: int,
        at_once: int = 1,
    ) -> None:
        """Begin with nothing asked.

        Args:
            ask_all: Returns an answer, or an error to raise, for each of some questions; what it
                raises itself is raised for all of them.
            most: How many questions it takes.
            at_once: How many calls of it may be out.
        """
        self._ask_all = ask_all
        self._most = most
        self._free = at_once
        self._lock = threading.Lock()
        self._waiting: list[_Asked[_Question, _Answer]] = []

    def ask(self, question: _Question, *, patience_s: float) -> _Answer:
        """Return the answer; it was asked for after this call began.

        Args:
            question: The question.
            patience_s: How long it may wait for its turn, in seconds.

        Raises:
            TimeoutError: It had no turn in time; it was not asked.
            BaseException: As `ask_all`.
        """
        asked: _Asked[_Question, _Answer] = _Asked(question)
        with self._lock:
            if self._free:
                self._free -= 1
                asked.leads = True
            else:
                self._waiting.append(asked)
        if not asked.leads and not asked.woken.wait(patience_s):
            self._give_up(asked)
        if asked.leads:
            self._lead(asked)
        if isinstance(asked.answer, BaseException):
            raise asked.answer
        return asked.answer  # type: ignore[return-value] # it is answered

    def _give_up(self, asked: _Asked[_Question, _Answer]) -> None:
        """Take a question back; where it has its turn at this moment, wait for that."""
        with self._lock:
            if asked in self._waiting:
                self._waiting.remove(asked)
                raise TimeoutError("the calls before it have not ended")
        asked.woken.wait()

    def _lead(self, first: _Asked[_Question, _Answer]) -> None:
        """Ask one's own question with what waits, and let the next one lead."""
        with self._lock:
            group = [first, *self._waiting[: self._most - 1]]
            del self._waiting[: self._most - 1]
        answers: Sequence[_Answer | BaseException]
        try:
            others = [asked.origin for asked in group[1:]]
            with tracing.span("internal", "ask together", joined=others) if others else _ALONE:
                answers = self._ask_all([asked.question for asked in group])
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            answers = [error] * len(group)
        for asked, answer in zip(group, answers, strict=True):
            asked.answer = answer
            asked.woken.set()
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            following = self._waiting.pop(0)
            following.leads = True
        following.woken.set()
