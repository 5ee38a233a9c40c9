"""Making a threshold key, or dealing one anew, without anybody ever holding it.

Pedersen's distributed key generation with FROST's proofs of possession, as a ceremony of signed
broadcasts, so that anything may carry them: files, mail, an HTTP relay. Four kinds of message:

- commitments: what each dealer commits to, and the proof that it knows it;
- shares: an envelope for each receiver, and the hash of all commitments that the dealer saw;
- verdict: the hash of the result, from a receiver whose shares all fit; else whom it accuses;
- opening: the accused shows what was in the accuser's envelope, and everybody sees who lied.

A ceremony ends in a key that every receiver confirmed, or in an error that names who is at fault.
After an accusation there is no key: whoever keeps to the rules begins again, with or without the
one at fault.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject, encode_base64url, encode_canonical_json
from client_sdk.errors import FrostError, FrostFormatError, ParticipantFaultError
from client_sdk.frost.ceremony_messages import (
    CeremonyMessage,
    MessageKind,
    Slot,
    collect_messages,
    digest_of_messages,
    sign_message,
)
from client_sdk.frost.ceremony_secrets import CeremonySecrets
from client_sdk.frost.ceremony_terms import CeremonyTerms
from client_sdk.frost.ciphersuite import CIPHERSUITES
from client_sdk.frost.group import (
    ZERO,
    Point,
    Scalar,
    add,
    multiply_base,
    parse_point,
    parse_scalar,
)
from client_sdk.frost.host_key import HostKey, reveal_envelope, seal_envelope
from client_sdk.frost.keys import GroupKey, KeyShare, decode_element
from client_sdk.frost.polynomial import (
    evaluate_commitments,
    sum_commitments,
)
from client_sdk.frost.possession import prove_possession, verify_possession

_PROOF_BYTES: Final = 64
_ENVELOPE_BYTES: Final = 32 + 16 + 32
_Commitments = Mapping[int, tuple[Point, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyProgress:
    """How far a ceremony has come.

    Attributes:
        messages: All that this participant has to say until now, to be kept and sent to all.
        waiting_for: Those whose messages are needed to go on; empty at the end. A participant
            waits for its own too: it goes on once they are among those that have arrived.
        group: The key, once every receiver has confirmed it.
        share: This participant's share of it, if it receives one.
    """

    messages: tuple[str, ...]
    waiting_for: tuple[int, ...] = ()
    group: GroupKey | None = None
    share: KeyShare | None = None


class KeyCeremony:
    """One participant's part in one ceremony. It keeps no state but its secrets."""

    def __init__(
        self,
        terms: CeremonyTerms,
        *,
        host_key: HostKey,
        seed: bytes,
        previous_share: KeyShare | None = None,
    ) -> None:
        """Join a ceremony.

        Args:
            terms: What all agreed on.
            host_key: This participant's.
            seed: Of `ceremony_secrets`, for this ceremony alone; kept until it is over.
            previous_share: A dealer's share of the key that is dealt anew.

        Raises:
            FrostFormatError: The host key is none of the terms, or the share does not fit them.
        """
        found = [i for i, public in terms.hosts.items() if public == host_key.public]
        if not found:
            raise FrostFormatError("ceremony: this host key does not belong to its terms")
        self._terms = terms
        self._suite = CIPHERSUITES[terms.algorithm]
        self._identifier = found[0]
        self._host_key = host_key
        self._secrets = CeremonySecrets(
            terms, identifier=self._identifier, seed=seed, previous_share=previous_share
        )

    def advance(self, texts: Collection[str]) -> CeremonyProgress:
        """Go as far as the messages that have arrived allow.

        Args:
            texts: All messages that have come in, in any order, and this participant's own. Keep
                every one: a participant that says two things at once is caught by it.

        Raises:
            FrostFormatError: A text is not a message of this ceremony.
            ParticipantFaultError: The ceremony has failed; it says by whose fault.
            FrostError: This participant said something else before: its own messages were lost.
        """
        terms, identifier = self._terms, self._identifier
        said = collect_messages(terms, texts)
        own = _OwnMessages(self, said)

        if identifier in terms.dealers:
            own.say("commitments", self._commitments_body())
        if missing := _missing(said, "commitments", terms.dealers):
            return own.wait_for(missing)
        commitments = {dealer: self._verify_commitments(said, dealer) for dealer in terms.dealers}
        group = self._group_key(commitments)
        round_one = [said["commitments", dealer, 0] for dealer in terms.dealers]
        seen = digest_of_messages(round_one)

        if identifier in terms.dealers:
            own.say("shares", self._shares_body(seen))
        if missing := _missing(said, "shares", terms.dealers):
            return own.wait_for(missing)
        round_two = [said["shares", dealer, 0] for dealer in terms.dealers]
        _check_seen(round_two, seen)
        result = _digest_of_result(group, [*round_one, *round_two])

        share = ZERO
        if identifier in terms.receivers:
            received, accused = self._open_shares(round_two, commitments)
            for value in received:
                share = add(share, value)
            own.say("verdict", {"accuses": [*accused]} if accused else {"result": result})
        if accusations := self._accusations(said):
            return own.wait_for(self._judge(own, said, accusations, commitments))
        if missing := _missing(said, "verdict", terms.receivers):
            return own.wait_for(missing)
        self._check_results(said, result)
        return self._finish(own, group, share)

    def sign(self, kind: MessageKind, body: JsonObject, receiver: int = 0) -> CeremonyMessage:
        """Return a message of this participant."""
        return sign_message(
            self._terms,
            self._host_key,
            sender=self._identifier,
            kind=kind,
            body=body,
            receiver=receiver,
        )

    def _finish(self, own: "_OwnMessages", group: GroupKey, share: Scalar) -> CeremonyProgress:
        key_share = None
        if self._identifier in self._terms.receivers:
            key_share = KeyShare(identifier=self._identifier, secret=share, group=group)
        return CeremonyProgress(messages=own.texts, group=group, share=key_share)

    # What this participant says

    def _commitments_body(self) -> JsonObject:
        with self._secrets.polynomial() as (polynomial, constant):
            proof = prove_possession(
                self._suite, self._identifier, constant, self._secrets.proof_nonce()
            )
            return {
                "commitments": [encode_base64url(point) for point in polynomial.commitments()],
                "proof": encode_base64url(proof),
            }

    def _shares_body(self, seen: str) -> JsonObject:
        with self._secrets.polynomial() as (polynomial, _):
            return {
                "seen": seen,
                "envelopes": {
                    str(receiver): encode_base64url(
                        seal_envelope(
                            polynomial.evaluate(receiver),
                            to=self._terms.hosts[receiver],
                            label=self._label(self._identifier, receiver),
                            envelope_key=self._secrets.envelope_key(receiver),
                        )
                    )
                    for receiver in self._terms.receivers
                },
            }

    def _opening_body(self, accuser: int) -> JsonObject:
        return {"envelope_key": encode_base64url(self._secrets.envelope_key(accuser))}

    # What others said

    def _verify_commitments(
        self, said: Mapping[Slot, CeremonyMessage], dealer: int
    ) -> tuple[Point, ...]:
        body = said["commitments", dealer, 0].body
        with _blame(dealer, "commitments"):
            encoded = body.get("commitments")
            if not isinstance(encoded, list) or len(encoded) != self._terms.threshold:
                raise FrostFormatError("as many commitments as the threshold are expected")
            commitments = tuple(parse_point(decode_element(item)) for item in encoded)
            proof = decode_element(body.get("proof"), length=_PROOF_BYTES)
            verify_possession(self._suite, dealer, commitments[0], proof)
            expected = self._terms.expected_constant(dealer)
            if expected not in (None, commitments[0]):
                raise FrostFormatError("the dealer deals something else than its share of the key")
        return commitments

    def _group_key(self, commitments: _Commitments) -> GroupKey:
        total = sum_commitments(list(commitments.values()))
        return GroupKey(
            algorithm=self._terms.algorithm,
            threshold=self._terms.threshold,
            public_key=total[0],
            verifying_shares={
                receiver: evaluate_commitments(total, receiver)
                for receiver in self._terms.receivers
            },
        )

    def _open_shares(
        self, round_two: Collection[CeremonyMessage], commitments: _Commitments
    ) -> tuple[list[Scalar], list[int]]:
        """Return the shares that fit, and the dealers of those that do not."""
        received, accused = [], []
        for message in round_two:
            dealer, own = message.sender, self._identifier
            envelope, label = _envelope(message, own), self._label(dealer, own)
            try:
                content = self._host_key.open_envelope(envelope, label)
                received.append(_verify_share(content, own, commitments[dealer]))
            except FrostFormatError:
                accused.append(dealer)
        return received, accused

    def _accusations(self, said: Mapping[Slot, CeremonyMessage]) -> list[tuple[int, int]]:
        """Return every accuser with each dealer that it accuses."""
        accusations = []
        for receiver in self._terms.receivers:
            message = said.get(("verdict", receiver, 0))
            accused = message.body.get("accuses", []) if message else []
            with _blame(receiver, "verdict"):
                if not isinstance(accused, list):
                    raise FrostFormatError("a list of the accused is expected")
                for dealer in accused:
                    if not isinstance(dealer, int) or dealer not in self._terms.dealers:
                        raise FrostFormatError("only dealers can be accused")
                    accusations.append((receiver, dealer))
        return accusations

    def _judge(
        self,
        own: "_OwnMessages",
        said: Mapping[Slot, CeremonyMessage],
        accusations: Collection[tuple[int, int]],
        commitments: _Commitments,
    ) -> tuple[int, ...]:
        """Return the accused whose answers have not arrived.

        Raises:
            ParticipantFaultError: Of each pair that has spoken, one lied.
        """
        silent = []
        for accuser, dealer in accusations:
            opening = said.get(("opening", dealer, accuser))
            if opening is None:
                silent.append(dealer)
                if dealer == self._identifier:
                    own.say("opening", self._opening_body(accuser), receiver=accuser)
                continue
            with _blame(dealer, "opening"):
                content = reveal_envelope(
                    _envelope(said["shares", dealer, 0], accuser),
                    to=self._terms.hosts[accuser],
                    label=self._label(dealer, accuser),
                    envelope_key=decode_element(opening.body.get("envelope_key")),
                )
                _verify_share(content, accuser, commitments[dealer])
            raise ParticipantFaultError(
                f"participant {accuser} accused {dealer} of a bad share, which was good",
                at_fault=(accuser,),
                is_proof=True,
            )
        return tuple(sorted(set(silent)))

    def _check_results(self, said: Mapping[Slot, CeremonyMessage], result: str) -> None:
        differing = tuple(
            receiver
            for receiver in self._terms.receivers
            if said["verdict", receiver, 0].body != {"result": result}
        )
        if differing:
            raise ParticipantFaultError(
                f"another result was confirmed by participant {_names(differing)}",
                at_fault=differing,
            )

    def _label(self, dealer: int, receiver: int) -> bytes:
        return self._terms.session + bytes([dealer, receiver])


class _OwnMessages:
    """What this participant says in the course of one `advance`."""

    def __init__(self, ceremony: KeyCeremony, said: Mapping[Slot, CeremonyMessage]) -> None:
        self._ceremony = ceremony
        self._said = said
        self.texts: tuple[str, ...] = ()

    def say(self, kind: MessageKind, body: JsonObject, receiver: int = 0) -> None:
        message = self._ceremony.sign(kind, body, receiver)
        before = self._said.get((kind, message.sender, receiver), message)
        if before.content != message.content:
            raise FrostError(
                f"ceremony: this participant said something else before ({kind}); what it had "
                "received then is lost. Begin a new ceremony"
            )
        self.texts += (message.text,)

    def wait_for(self, participants: tuple[int, ...]) -> CeremonyProgress:
        return CeremonyProgress(messages=self.texts, waiting_for=participants)


@contextmanager
def _blame(sender: int, kind: MessageKind) -> Iterator[None]:
    """Lay what is wrong with a signed message at its sender's door."""
    try:
        yield
    except FrostFormatError as error:
        raise ParticipantFaultError(
            f"participant {sender}, {kind}: {error}", at_fault=(sender,), is_proof=True
        ) from None


def _missing(
    said: Mapping[Slot, CeremonyMessage], kind: MessageKind, senders: tuple[int, ...]
) -> tuple[int, ...]:
    return tuple(sender for sender in senders if (kind, sender, 0) not in said)


def _check_seen(round_two: Collection[CeremonyMessage], seen: str) -> None:
    differing = tuple(message.sender for message in round_two if message.body.get("seen") != seen)
    if differing:
        raise ParticipantFaultError(
            f"participant {_names(differing)} saw other commitments than arrived here. Compare "
            "the messages: whoever signed two different ones is at fault, else those named here",
            at_fault=differing,
        )


def _envelope(message: CeremonyMessage, receiver: int) -> bytes:
    """Return a receiver's envelope; what is none opens for nobody."""
    envelopes = message.body.get("envelopes")
    encoded = envelopes.get(str(receiver)) if isinstance(envelopes, dict) else None
    try:
        return decode_element(encoded, length=_ENVELOPE_BYTES)
    except FrostFormatError:
        return b""


def _verify_share(content: bytes, receiver: int, commitments: tuple[Point, ...]) -> Scalar:
    value = parse_scalar(content)
    if multiply_base(value) != evaluate_commitments(commitments, receiver):
        raise FrostFormatError("the share does not fit the dealer's commitments")
    return value


def _digest_of_result(group: GroupKey, messages: Collection[CeremonyMessage]) -> str:
    statement: JsonObject = {"group": group.to_fields(), "said": digest_of_messages(messages)}
    return encode_base64url(hashlib.sha256(encode_canonical_json(statement)).digest())


def _names(identifiers: tuple[int, ...]) -> str:
    return ", ".join(str(identifier) for identifier in identifiers)
