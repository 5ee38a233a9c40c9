"""Key generation and resharing: one key, nobody unnamed who cheats, and the same after a crash."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.threshold import (
    SHA2,
    SHA3,
    Ceremony,
    deal,
    new_hosts,
    new_key_ceremony,
    public_halves,
    resharing_ceremony,
    shares_of,
    sign,
)

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from chaincode.signatures import KeyAlgorithm, verify_signature
from client_sdk.errors import (
    FrostError,
    FrostFormatError,
    KeyFormatError,
    ParticipantFaultError,
    SecretWipedError,
)
from client_sdk.frost.ceremony_messages import (
    MessageKind,
    digest_of_messages,
    sign_message,
    verify_message,
)
from client_sdk.frost.ceremony_secrets import new_ceremony_seed
from client_sdk.frost.ceremony_terms import CeremonyTerms
from client_sdk.frost.ciphersuite import CIPHERSUITES
from client_sdk.frost.group import Scalar, add, multiply_base, parse_point, random_scalar
from client_sdk.frost.host_key import HostKey
from client_sdk.frost.key_ceremony import KeyCeremony
from client_sdk.frost.polynomial import SecretPolynomial, evaluate_commitments, sum_commitments
from client_sdk.frost.possession import verify_possession
from client_sdk.frost.signing import SigningPackage, aggregate, commit, sign_share

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "frost" / "key_generation.json").read_text()
)
PAYLOAD = b"what is signed"
Forgery = Callable[[JsonObject], JsonObject]


class TestPublishedVectors:
    suite = CIPHERSUITES[SHA2]

    @pytest.fixture(params=VECTOR["participants"], ids=lambda each: str(each["identifier"]))
    def participant(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        return request.param

    def test_what_a_dealer_sends(self, participant: dict[str, Any]) -> None:
        secrets = [Scalar(bytes.fromhex(text)) for text in participant["coefficients"]]
        polynomial = SecretPolynomial(secrets)
        commitments = polynomial.commitments()
        assert [point.hex() for point in commitments] == participant["commitments"]
        for other in VECTOR["participants"]:
            if other is not participant:
                dealt = polynomial.evaluate(other["identifier"])
                assert dealt.hex() == other["received"][str(participant["identifier"])]
                assert multiply_base(dealt) == evaluate_commitments(
                    commitments, other["identifier"]
                )

    def test_the_proof_of_possession(self, participant: dict[str, Any]) -> None:
        identifier = participant["identifier"]
        public = parse_point(bytes.fromhex(participant["commitments"][0]))
        proof = bytes.fromhex(participant["proof_of_possession"])
        assert verify_possession(self.suite, identifier, public, proof) == public
        with pytest.raises(FrostFormatError):
            verify_possession(self.suite, identifier + 1, public, proof)
        for place in range(64):
            wrong = bytearray(proof)
            wrong[place] ^= 1
            with pytest.raises(FrostFormatError):
                verify_possession(self.suite, identifier, public, bytes(wrong))

    def test_the_share(self, participant: dict[str, Any]) -> None:
        identifier = participant["identifier"]
        own = SecretPolynomial([Scalar(bytes.fromhex(t)) for t in participant["coefficients"]])
        total = own.evaluate(identifier)
        for text in participant["received"].values():
            total = add(total, Scalar(bytes.fromhex(text)))
        assert total.hex() == participant["share"]
        commitments = sum_commitments(
            [
                [parse_point(bytes.fromhex(t)) for t in each["commitments"]]
                for each in VECTOR["participants"]
            ]
        )
        assert commitments[0].hex() == VECTOR["group_public_key"]
        verifying_share = evaluate_commitments(commitments, identifier)
        assert verifying_share.hex() == participant["verifying_share"]
        assert multiply_base(total) == verifying_share

    def test_an_element_outside_the_group_is_refused(self) -> None:
        with pytest.raises(FrostFormatError):
            parse_point(bytes.fromhex(VECTOR["not_in_the_group"]))


@settings(max_examples=10)
@given(data=st.data(), algorithm=st.sampled_from([SHA2, SHA3]))
def test_a_key_is_made_and_signs(data: st.DataObject, algorithm: KeyAlgorithm) -> None:
    participants = data.draw(st.integers(2, 5))
    threshold = data.draw(st.integers(2, participants))
    progress = new_key_ceremony(threshold, participants, algorithm).run()
    keys = {each.group.ledger_key for each in progress.values() if each.group is not None}
    shares = shares_of(progress)
    assert len(keys) == 1
    assert shares.keys() == progress.keys()
    signers = data.draw(st.permutations(sorted(shares)))[:threshold]
    signature = sign([shares[i] for i in signers], PAYLOAD)
    assert verify_signature(public_key=keys.pop(), signature=signature.hex(), payload=PAYLOAD)


def test_each_ceremony_makes_another_key() -> None:
    keys = {shares_of(new_key_ceremony().run())[1].group.public_key for _ in range(3)}
    assert len(keys) == 3


@pytest.mark.parametrize("crash_at", [0, 1, 2])
def test_a_participant_that_crashed_says_the_same_again(crash_at: int) -> None:
    ceremony = new_key_ceremony()
    seed = new_ceremony_seed()

    def restart() -> None:
        ceremony.participants[1] = KeyCeremony(
            ceremony.terms, host_key=ceremony.host_keys[1], seed=seed
        )

    restart()
    for _ in range(crash_at):
        for identifier in (1, 2, 3):
            ceremony.advance(identifier)
    said = ceremony.advance(1).messages
    assert len(said) == crash_at + 1
    restart()
    assert ceremony.advance(1).messages == said
    assert len(shares_of(ceremony.run())) == 3


def test_messages_come_in_any_order_and_again() -> None:
    ceremony = new_key_ceremony()
    ceremony.run()
    ceremony.board = [*reversed(ceremony.board), *ceremony.board]
    assert len(shares_of(ceremony.run())) == 3


def test_waits_for_those_who_have_not_spoken() -> None:
    ceremony = new_key_ceremony()
    assert ceremony.advance(2).waiting_for == (1, 2, 3)
    ceremony.advance(1)
    assert ceremony.advance(2).waiting_for == (3,)
    ceremony.advance(3)
    assert ceremony.advance(2).waiting_for == (1, 2, 3)
    ceremony.advance(3)
    assert ceremony.advance(2).waiting_for == (1,)


def test_fewer_than_t_open_nothing_of_the_board() -> None:
    """What is sent is of no use to a carrier: it holds no share, and no envelope opens for it."""
    ceremony = new_key_ceremony()
    shares = shares_of(ceremony.run())
    carrier = HostKey.generate()
    sent = "\n".join(ceremony.board)
    for share in shares.values():
        assert encode_base64url(share.secret.reveal()) not in sent
    for text in ceremony.board:
        message = verify_message(ceremony.terms, text)
        for envelope in message.body.get("envelopes", {}).values():
            with pytest.raises(FrostFormatError):
                carrier.open_envelope(
                    decode_base64url(envelope), ceremony.terms.session + bytes([1, 2])
                )


class Liar:
    """Participant 2 of three, which says what a test makes it say. The rest is honest."""

    def __init__(self, ceremony: Ceremony) -> None:
        self.ceremony = ceremony

    def say(
        self, kind: MessageKind, body: JsonObject, *, receiver: int = 0, sender: int = 2
    ) -> str:
        terms, keys = self.ceremony.terms, self.ceremony.host_keys
        return sign_message(
            terms, keys[sender], sender=sender, kind=kind, body=body, receiver=receiver
        ).text

    def forge(self, kind: MessageKind, forgery: Forgery) -> None:
        """Let all advance until 2 has spoken, and put a forged message in the place of its own."""
        while True:
            for identifier in (2, 1, 3):
                self.ceremony.advance(identifier)
                for place, text in enumerate(self.ceremony.board):
                    message = verify_message(self.ceremony.terms, text)
                    if (message.sender, message.kind) == (2, kind):
                        self.ceremony.board[place] = self.say(kind, forgery({**message.body}))
                        del self.ceremony.participants[2]
                        return

    def fault_seen_by(self, identifier: int) -> ParticipantFaultError:
        faults: dict[int, ParticipantFaultError] = {}
        for _ in range(5):
            for each in self.ceremony.participants:
                try:
                    assert self.ceremony.advance(each).group is None
                except ParticipantFaultError as fault:
                    faults[each] = fault
        return faults[identifier]


@pytest.fixture
def liar() -> Liar:
    return Liar(new_key_ceremony())


def other_point() -> str:
    return encode_base64url(multiply_base(random_scalar()))


def with_envelope(receiver: int, change: Callable[[bytes], bytes]) -> Forgery:
    def forge(body: JsonObject) -> JsonObject:
        envelopes = {**body["envelopes"]}
        envelope = decode_base64url(envelopes[str(receiver)])
        envelopes[str(receiver)] = encode_base64url(change(envelope))
        return {**body, "envelopes": envelopes}

    return forge


class TestBlame:
    @pytest.mark.parametrize("witness", [1, 3])
    @pytest.mark.parametrize(
        "forgery",
        [
            lambda body: {**body, "commitments": [other_point(), body["commitments"][1]]},
            lambda body: {**body, "commitments": body["commitments"][:1]},
            lambda body: {**body, "commitments": [*body["commitments"], other_point()]},
            lambda body: {**body, "commitments": "none"},
            lambda body: {**body, "commitments": [encode_base64url(bytes(32)), other_point()]},
            lambda body: {**body, "proof": encode_base64url(bytes(64))},
            lambda body: {**body, "proof": encode_base64url(b"short")},
            lambda _: {},
        ],
        ids=[
            *("no_possession", "low_degree", "high_degree", "no_list", "no_point"),
            *("no_proof", "short_proof", "empty"),
        ],
    )
    def test_bad_commitments_are_proof(self, liar: Liar, forgery: Forgery, witness: int) -> None:
        liar.forge("commitments", forgery)
        fault = liar.fault_seen_by(witness)
        assert (fault.at_fault, fault.is_proof) == ((2,), True)

    @pytest.mark.parametrize("witness", [1, 3])
    @pytest.mark.parametrize(
        "forgery",
        [
            with_envelope(3, lambda envelope: envelope[:-1] + bytes([envelope[-1] ^ 1])),
            with_envelope(3, lambda envelope: bytes(32) + envelope[32:]),
            with_envelope(3, lambda envelope: envelope[:-1]),
            lambda body: {**body, "envelopes": {"1": body["envelopes"]["1"]}},
            lambda body: {**body, "envelopes": "none"},
        ],
        ids=["changed", "hostile_key", "short", "absent", "no_object"],
    )
    def test_a_dealer_that_answers_with_no_good_share(
        self, liar: Liar, forgery: Forgery, witness: int
    ) -> None:
        liar.forge("shares", forgery)
        for _ in range(3):
            for identifier in (1, 3):
                waiting = liar.ceremony.advance(identifier).waiting_for
        assert waiting == (2,)  # Until it answers, that is all there is to say.
        answer = {"envelope_key": encode_base64url(bytes(range(32)))}
        for accuser in (1, 3):
            liar.ceremony.board.append(liar.say("opening", answer, receiver=accuser))
        fault = liar.fault_seen_by(witness)
        assert (fault.at_fault, fault.is_proof) == ((2,), True)

    @pytest.mark.parametrize("witness", [1, 3])
    def test_a_share_off_the_polynomial(self, liar: Liar, witness: int) -> None:
        """The envelope opens, and what is in it is wrong: the dealer's own answer convicts it."""
        ceremony = liar.ceremony
        cheat = KeyCeremony(ceremony.terms, host_key=ceremony.host_keys[2], seed=bytes(32))
        ceremony.participants[2] = cheat
        for identifier in (1, 2, 3):
            ceremony.advance(identifier)
        cheat._secrets._seed = bytes([1] * 32)  # Another polynomial than the one it committed to.
        shares = cheat._shares_body(seen_by(ceremony))
        ceremony.board.append(liar.say("shares", shares))
        del ceremony.participants[2]
        for identifier in (1, 3, 1, 3):
            assert ceremony.advance(identifier).group is None
        for accuser in (1, 3):
            body = cheat._opening_body(accuser)
            ceremony.board.append(liar.say("opening", body, receiver=accuser))
        fault = liar.fault_seen_by(witness)
        assert (fault.at_fault, fault.is_proof) == ((2,), True)
        assert "does not fit" in str(fault)

    @pytest.mark.parametrize("witness", [1, 3])
    def test_a_false_accusation(self, liar: Liar, witness: int) -> None:
        liar.forge("verdict", lambda _: {"accuses": [1]})
        fault = liar.fault_seen_by(witness)
        assert (fault.at_fault, fault.is_proof) == ((2,), True)
        assert "accused 1" in str(fault)

    @pytest.mark.parametrize("accused", ["1", 1, [4], ["1"], [[]], [None]])
    def test_a_senseless_accusation(self, liar: Liar, accused) -> None:
        liar.forge("verdict", lambda _: {"accuses": accused})
        fault = liar.fault_seen_by(1)
        assert (fault.at_fault, fault.is_proof) == ((2,), True)

    @pytest.mark.parametrize("body", [{}, {"result": "another"}, {"accuses": []}])
    def test_another_result(self, liar: Liar, body: JsonObject) -> None:
        liar.forge("verdict", lambda _: body)
        fault = liar.fault_seen_by(1)
        assert (fault.at_fault, fault.is_proof) == ((2,), False)

    def test_two_commitments_to_two_participants(self) -> None:
        """1 and 3 each get another message of 2. Their messages, put together, convict it."""
        ceremony = new_key_ceremony()
        liar = Liar(ceremony)
        other = KeyCeremony(ceremony.terms, host_key=ceremony.host_keys[2], seed=bytes(32))
        for identifier in (1, 2, 3):
            ceremony.advance(identifier)
        one = ceremony.board[1]
        two = other.advance([]).messages[0]
        said_by_1 = ceremony.participants[1].advance(ceremony.board).messages
        board_of_3 = [ceremony.board[0], two, ceremony.board[2]]
        said_by_3 = ceremony.participants[3].advance(board_of_3).messages
        said_by_2 = liar.say("shares", {"seen": seen_by(ceremony), "envelopes": {}})
        board_of_1 = [*ceremony.board, said_by_1[-1], said_by_2, said_by_3[-1]]
        with pytest.raises(ParticipantFaultError, match="saw other commitments") as refusal:
            ceremony.participants[1].advance(board_of_1)
        assert (refusal.value.at_fault, refusal.value.is_proof) == ((3,), False)
        with pytest.raises(ParticipantFaultError, match="two different messages") as refusal:
            ceremony.participants[1].advance([*board_of_1, two])
        assert (refusal.value.at_fault, refusal.value.is_proof) == ((2,), True)
        assert one != two

    def test_a_carrier_that_changes_a_message_blames_nobody(self) -> None:
        ceremony = new_key_ceremony()
        text = ceremony.advance(1).messages[0]
        head, payload, signature = text.split(".")
        foreign = new_key_ceremony().advance(1).messages[0]
        for forged in (
            f"{head}.{payload}.{signature[:-4]}AAAA",
            f"{head}.{payload}",
            foreign,
            "",
            ceremony.host_keys[1].sign({"session": "x"}, "JWT"),
            ceremony.host_keys[1].sign({"session": "x"}, "tegata-key-ceremony+jwt"),
        ):
            with pytest.raises(FrostFormatError):
                ceremony.participants[2].advance([forged])

    def test_a_participant_signs_for_itself_only(self, liar: Liar) -> None:
        terms, keys = liar.ceremony.terms, liar.ceremony.host_keys
        text = sign_message(terms, keys[2], sender=1, kind="commitments", body={}).text
        with pytest.raises(FrostFormatError, match="does not verify"):
            liar.ceremony.participants[3].advance([text])

    @pytest.mark.parametrize(("kind", "receiver"), [("commitments", 1), ("opening", 0)])
    def test_a_message_stands_in_a_slot_of_its_kind(
        self, liar: Liar, kind: MessageKind, receiver: int
    ) -> None:
        with pytest.raises(FrostFormatError, match="no use"):
            liar.ceremony.participants[1].advance([liar.say(kind, {}, receiver=receiver)])

    def test_a_participant_that_lost_what_it_said_begins_no_second_word(self) -> None:
        ceremony = new_key_ceremony()
        for identifier in (1, 2, 3):
            ceremony.advance(identifier)
        reborn = KeyCeremony(
            ceremony.terms, host_key=ceremony.host_keys[1], seed=new_ceremony_seed()
        )
        with pytest.raises(FrostError, match="Begin a new ceremony"):
            reborn.advance(ceremony.board)


def seen_by(ceremony: Ceremony) -> str:
    messages = [verify_message(ceremony.terms, text) for text in ceremony.board]
    return digest_of_messages([m for m in messages if m.kind == "commitments"])


class TestResharing:
    @pytest.mark.parametrize("algorithm", [SHA2, SHA3])
    def test_a_refresh_keeps_the_key_and_makes_old_shares_useless(
        self, algorithm: KeyAlgorithm
    ) -> None:
        old = deal(2, 3, algorithm)
        new = shares_of(resharing_ceremony(old, dealers=(1, 2, 3), receivers=(1, 2, 3)).run())
        assert new[1].group.public_key == old[1].group.public_key
        assert all(new[i].secret.reveal() != old[i].secret.reveal() for i in old)
        for signers in ((1, 2), (1, 3), (2, 3)):
            assert sign([new[i] for i in signers], PAYLOAD)
        nonces = {1: commit(old[1]), 2: commit(new[2])}
        package = SigningPackage(
            payload=PAYLOAD, commitments=tuple(each.commitment for each in nonces.values())
        )
        stale = sign_share(old[1], nonces[1], package)
        fresh = sign_share(new[2], nonces[2], package)
        with pytest.raises(ParticipantFaultError) as refusal:
            aggregate(new[1].group, package, [stale, fresh])
        assert refusal.value.at_fault == (1,)

    def test_one_comes_one_goes_and_the_threshold_grows(self) -> None:
        old = deal(2, 3)
        progress = resharing_ceremony(
            old, dealers=(1, 3), receivers=(1, 2, 4, 5), threshold=3
        ).run()
        new = shares_of(progress)
        assert new.keys() == {1, 2, 4, 5}
        assert progress[3].share is None
        assert new[1].group.public_key == old[1].group.public_key
        assert sign([new[i] for i in (2, 4, 5)], PAYLOAD)
        with pytest.raises(FrostFormatError, match="3 signers"):
            sign([new[1], new[2]], PAYLOAD)

    def test_a_dealer_that_deals_something_else_is_named(self) -> None:
        old = deal(2, 3)
        ceremony = resharing_ceremony(old, dealers=(1, 2), receivers=(1, 2, 3))
        ceremony.participants[1]._secrets._share = None  # It draws a constant of its own.
        ceremony.advance(1)
        ceremony.advance(2)
        with pytest.raises(ParticipantFaultError, match="something else") as refusal:
            ceremony.advance(3)
        assert (refusal.value.at_fault, refusal.value.is_proof) == ((1,), True)

    def test_a_dealer_needs_its_share(self) -> None:
        old = deal(2, 3)
        terms = resharing_ceremony(old, dealers=(1, 2), receivers=(1, 2, 3)).terms
        keys = new_hosts(1, 2, 3)
        terms = replace(terms, hosts=public_halves(keys))
        for share in (None, old[2], deal(2, 3)[1]):
            with pytest.raises(FrostFormatError, match="needs its share"):
                KeyCeremony(terms, host_key=keys[1], seed=bytes(32), previous_share=share)
        assert KeyCeremony(terms, host_key=keys[3], seed=bytes(32))


class TestTerms:
    def test_the_session_names_every_term(self) -> None:
        terms = new_key_ceremony(2, 3).terms
        others = [
            replace(terms, label="another"),
            replace(terms, algorithm=SHA3),
            replace(terms, threshold=3),
            replace(terms, hosts=public_halves(new_hosts(1, 2, 3))),
            CeremonyTerms.resharing(
                deal(2, 3)[1].group,
                label=terms.label,
                dealers=(1, 2, 3),
                receivers=(1, 2, 3),
                hosts=terms.hosts,
            ),
        ]
        assert len({each.session for each in [terms, *others]}) == 6

    def test_what_no_ceremony_can_have(self) -> None:
        keys = public_halves(new_hosts(1, 2, 3))
        terms = CeremonyTerms.new_key(label="a", algorithm=SHA2, threshold=2, hosts=keys)
        for change, text in (
            ({"threshold": 1}, "from 2 to all"),
            ({"threshold": 4}, "from 2 to all"),
            ({"hosts": {1: keys[1], 2: keys[2]}}, "one host key for each"),
            ({"hosts": {**keys, 3: keys[1]}}, "the same host key"),
            ({"dealers": (1, 2)}, "dealt by all"),
        ):
            with pytest.raises(FrostFormatError, match=text):
                replace(terms, **change)
        for hostile in (bytes(32), b"short", bytes([1]) + bytes(31)):
            with pytest.raises(KeyFormatError):
                replace(terms, hosts={**keys, 3: hostile})

    @pytest.mark.parametrize("dealers", [(1,), (2, 1), (1, 4), (1, 1)])
    def test_who_deals_anew(self, dealers: tuple[int, ...]) -> None:
        hosts = public_halves(new_hosts(*{*dealers, 1, 2, 3}))
        with pytest.raises(FrostFormatError, match="deal it anew"):
            CeremonyTerms.resharing(
                deal(2, 3)[1].group, label="", dealers=dealers, receivers=(1, 2, 3), hosts=hosts
            )

    def test_a_stranger_takes_no_part(self) -> None:
        terms = new_key_ceremony().terms
        with pytest.raises(FrostFormatError, match="does not belong"):
            KeyCeremony(terms, host_key=HostKey.generate(), seed=bytes(32))
        keys = new_hosts(1, 2, 3)
        terms = replace(terms, hosts=public_halves(keys))
        with pytest.raises(FrostFormatError, match="does not belong"):
            KeyCeremony(terms, host_key=keys[1], seed=b"short")


def test_polynomials_show_and_keep_nothing() -> None:
    secrets = [random_scalar(), random_scalar()]
    polynomial = SecretPolynomial(secrets)
    assert repr(polynomial) == "SecretPolynomial(degree=1)"
    polynomial.wipe()
    with pytest.raises(SecretWipedError):
        polynomial.evaluate(1)
