"""Asking agents to evaluate: no more than are needed, and those that go away once they are back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from client_sdk.credentials.jose import Key
from client_sdk.errors import EscrowFormatError, ServiceRefusedError, TooFewAgentsError
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.deposit_statement import DepositStatement
from client_sdk.escrow.findings import Findings
from client_sdk.threshold_oprf import BlindedInput, Evaluation, verify_evaluation

Patience: TypeAlias = Callable[[TooFewAgentsError], None]
"""Waits a while for agents that cannot be reached; what it raises ends the recovery."""
Answer: TypeAlias = tuple[Evaluation, int]
"""An agent's evaluation, and how many attempts it has left."""
_WHAT: Final = "recovery"


class Evaluations:
    """One guess at a password, put to agents. Each answer is one attempt there."""

    def __init__(
        self,
        terms: DepositStatement,
        blinded: BlindedInput,
        *,
        key: Key,
        counter_token: str | None,
        face_attestation: str | None,
        index_of: Callable[[AgentClient], int],
        attempts_left: Mapping[str, int],
    ) -> None:
        """Prepare the guess.

        Args:
            terms: The deposit.
            blinded: The guess.
            key: Signs for it: the card's, or the one that a counter's token names.
            counter_token: The word of an issuer's counter; None for none.
            face_attestation: The word of a face service; None for none.
            index_of: Returns the index that an agent is known under.
            attempts_left: How many attempts each agent has left before, by its address.
        """
        self._terms = terms
        self._blinded = blinded
        self._key = key
        self._counter_token = counter_token
        self._face_attestation = face_attestation
        self._index_of = index_of
        self._attempts_left = attempts_left

    def gather(
        self, agents: Sequence[AgentClient], *, findings: Findings, patience: Patience | None
    ) -> list[Answer]:
        """Return the answers of as many agents as are needed.

        Args:
            agents: Those that keep the deposit.
            findings: Where faults are noted.
            patience: Waits for those that cannot be reached; None where nobody waits.

        Raises:
            TooFewAgentsError: There are not that many; it names each, and why.
        """
        needed, answers = self._terms.agents.threshold, list[Answer]()
        question = self._evaluate
        while True:
            agents = self._ask(agents, question, answers, findings)
            try:
                findings.require(answers, needed=needed, what=_WHAT, costs_attempt=True)
            except TooFewAgentsError as error:
                if patience is None or len(answers) + len(agents) < needed:
                    raise
                patience(error)
            else:
                return answers
            question = self._evaluate_again
            findings.forget_unreachable()

    def _ask(
        self,
        agents: Sequence[AgentClient],
        question: Callable[[AgentClient], Answer],
        answers: list[Answer],
        findings: Findings,
    ) -> list[AgentClient]:
        """Ask until there are enough answers; return the agents that cannot be reached."""
        away = []
        for agent in agents:
            if len(answers) == self._terms.agents.threshold:
                break
            answer = findings.ask(agent, question)
            if answer is not None:
                answers.append(answer)
            elif findings.is_unreachable(agent.url):
                away.append(agent)
        return away

    def _evaluate(self, agent: AgentClient) -> Answer:
        evaluation, left = agent.evaluate(
            self._key,
            self._terms.handle,
            epoch=self._terms.epoch,
            blinded_element=self._blinded.element,
            counter_token=self._counter_token,
            face_attestation=self._face_attestation,
        )
        if evaluation.index != self._index_of(agent):
            raise EscrowFormatError("it answered with another agent's index")
        verify_evaluation(self._blinded, evaluation, self._terms.commitments)
        return evaluation, left

    def _evaluate_again(self, agent: AgentClient) -> Answer:
        # Whoever loses answers on their way must not use the attempts up.
        left = agent.status(self._key, self._terms.handle).attempts_left
        if left < self._attempts_left.get(agent.url, left):
            raise ServiceRefusedError(
                "its answer was lost on the way, and cost an attempt", code="answer_lost"
            )
        return self._evaluate(agent)
