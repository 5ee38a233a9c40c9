"""The rounds as a service answers them: a session is answered once, in time, by one process."""

import pytest
from support.threshold import deal

from client_sdk.frost.keys import KeyShare
from client_sdk.frost.signing import SigningPackage, aggregate
from node.errors import ApiError
from node.threshold.signing_rounds import (
    MAX_OPEN_SESSIONS,
    SESSION_SECONDS,
    CommitmentFields,
    SigningRounds,
)

PAYLOAD = b"payload"


class Holders:
    """Two holders of a key, each with its open sessions."""

    def __init__(self, shares: dict[int, KeyShare]) -> None:
        self.now_s = 0.0
        self.group = shares[1].group
        self.rounds = {
            i: SigningRounds(share, now_s=lambda: self.now_s) for i, share in shares.items()
        }
        begun = {i: rounds.begin() for i, rounds in self.rounds.items()}
        self.sessions = {i: session for i, (session, _) in begun.items()}
        self.package = SigningPackage(
            payload=PAYLOAD, commitments=tuple(commitment for _, commitment in begun.values())
        )
        self.fields = [
            CommitmentFields.model_validate(c.to_fields()) for c in self.package.commitments
        ]


@pytest.fixture
def holders() -> Holders:
    return Holders(deal(2, 2))


def code_of(refusal: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return refusal.value.status, refusal.value.code


def test_a_signature_is_made(holders: Holders) -> None:
    parts = [
        rounds.finish(holders.sessions[i], PAYLOAD, holders.fields)
        for i, rounds in holders.rounds.items()
    ]
    assert aggregate(holders.group, holders.package, parts)


def test_a_session_is_answered_once(holders: Holders) -> None:
    holders.rounds[1].finish(holders.sessions[1], PAYLOAD, holders.fields)
    for payload in (PAYLOAD, b"another"):
        with pytest.raises(ApiError) as refusal:
            holders.rounds[1].finish(holders.sessions[1], payload, holders.fields)
        assert code_of(refusal) == (409, "unknown_session")


@pytest.mark.parametrize("fields", [[], [{}], "swapped", "garbled"])
def test_what_does_not_fit_ends_the_session(holders: Holders, fields) -> None:
    garbled = holders.fields[0].model_copy(update={"hiding": "*"})
    given = {
        "swapped": holders.fields[::-1],
        "garbled": [garbled, holders.fields[1]],
    }.get(str(fields), holders.fields[:1] if fields else [])
    with pytest.raises(ApiError) as refusal:
        holders.rounds[1].finish(holders.sessions[1], PAYLOAD, given)
    assert code_of(refusal) == (422, "invalid_signing_package")
    with pytest.raises(ApiError) as refusal:
        holders.rounds[1].finish(holders.sessions[1], PAYLOAD, holders.fields)
    assert code_of(refusal) == (409, "unknown_session")


def test_a_session_of_another_process_is_unknown(holders: Holders) -> None:
    restarted = Holders(deal(2, 2)).rounds[1]
    with pytest.raises(ApiError) as refusal:
        restarted.finish(holders.sessions[1], PAYLOAD, holders.fields)
    assert code_of(refusal) == (409, "unknown_session")


def test_a_session_ends_by_time(holders: Holders) -> None:
    holders.now_s = SESSION_SECONDS - 1
    assert holders.rounds[1].finish(holders.sessions[1], PAYLOAD, holders.fields)
    holders.now_s = SESSION_SECONDS
    with pytest.raises(ApiError) as refusal:
        holders.rounds[2].finish(holders.sessions[2], PAYLOAD, holders.fields)
    assert code_of(refusal) == (409, "unknown_session")


def test_the_oldest_makes_room(holders: Holders) -> None:
    newer = [holders.rounds[1].begin()[0] for _ in range(MAX_OPEN_SESSIONS)]
    assert len(holders.rounds[1]._open) == MAX_OPEN_SESSIONS
    assert holders.sessions[1] not in holders.rounds[1]._open
    assert newer[0] in holders.rounds[1]._open
