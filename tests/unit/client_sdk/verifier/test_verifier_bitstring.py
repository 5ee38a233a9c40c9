"""A verifier on W3C credentials whose status stands in Bitstring Status Lists alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from support.format_world import FormatWorld, refusal
from support.presentation_world import ISSUER, NOW_MS, World

from chaincode.encoding import JsonObject
from chaincode.records import StatusListRecord
from client_sdk.checks import VerificationReport
from client_sdk.credentials.bitstring_status_list import (
    Bitstring,
    StatusEntry,
    build_list_credential,
)
from client_sdk.credentials.data_integrity import sign_document
from client_sdk.credentials.jose import Key, generate_key, thumbprint
from client_sdk.credentials.status_bits import REVOCATION, SUSPENSION, join_bits, purpose_url
from client_sdk.credentials.vc_jose import sign_vc_jwt
from client_sdk.errors import TransportError
from client_sdk.formats.w3c_document import date_time_stamp
from client_sdk.http.client import HttpAnswer
from client_sdk.strict_json import encode_json
from client_sdk.verification.status_lists import DEFAULT_TTL_S, StatusLists

LIST_ID: Final = "1" * 32
ISSUER_URL: Final = "https://issuer.example"
URI: Final = f"{ISSUER_URL}/status-lists/1"
INDEX: Final = 94_567
NOW_S: Final = NOW_MS // 1000
JWT, DATA_INTEGRITY = "application/vc+jwt", "application/vc"


@dataclass
class BitstringWorld:
    """An issuer that publishes one list of each purpose, or one of revocations alone."""

    bits: int = 2
    secured: str = JWT
    status: Any = None
    is_vouched_for: bool = True
    fetched: list[str] = field(default_factory=list)
    answers: dict[str, HttpAnswer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        purposes = (REVOCATION, SUSPENSION)[: self.bits]
        self.lists = {purpose: Bitstring() for purpose in purposes}
        self.version = 0
        lists = StatusLists(self.fetch, now_ms=lambda: self.world.now_ms)
        self.world = World(status_lists=lists)
        self.publish()
        place: Any = self.world.terms().more["tegata"]
        if self.is_vouched_for:
            place = {**place, "status": LIST_ID}
        status = self.entries() if self.status is None else self.status
        self.made = FormatWorld(
            "ldp_vc",
            world=self.world,
            changes={"more": {"tegata": place, "credentialStatus": status}},
        )

    def url(self, purpose: str) -> str:
        return URI if self.bits == 1 else purpose_url(URI, purpose)

    def entries(self) -> list[JsonObject]:
        return [entry(purpose=purpose, list_url=self.url(purpose)) for purpose in self.lists]

    def fetch(self, url: str, *, accept: str) -> HttpAnswer:
        assert JWT in accept
        self.fetched.append(url)
        if url not in self.answers:
            raise TransportError("the issuer cannot be reached")
        return self.answers[url]

    def serve(self, *, key: Key | None = None, **changes: Any) -> None:
        """Publish the lists as they are over HTTP, but for `changes`."""
        now_s = self.world.now_ms // 1000
        for purpose, bits in self.lists.items():
            fields: dict[str, Any] = {
                "url": self.url(purpose),
                "issuer": ISSUER_URL,
                "purpose": purpose,
                "valid_from": date_time_stamp(now_s),
                "valid_until": date_time_stamp(now_s + 3600),
                **changes,
            }
            document = build_list_credential(bits, **fields)
            self.answers[self.url(purpose)] = self.secure(document, key or self.world.issuer_key)

    def secure(self, document: JsonObject, key: Key) -> HttpAnswer:
        kid = thumbprint(self.world.issuer_key)
        if self.secured == JWT:
            body = sign_vc_jwt(document, issuer_key=key, header={"kid": kid}).encode()
        else:
            signed = sign_document(
                document,
                key=key,
                verification_method=f"{ISSUER_URL}#{kid}",
                purpose="assertionMethod",
            )
            body = encode_json(signed)
        return HttpAnswer(status=200, media_type=self.secured, body=body)

    def anchor_list(self, **changes: Any) -> None:
        """Write the lists' next version to the ledger."""
        self.version += 1
        lists: Sequence[Bitstring] = tuple(self.lists.values())
        fields = {
            "uri": URI,
            "bits": self.bits,
            "digest": (lists[0] if self.bits == 1 else join_bits(*lists)).digest(),
            "version": self.version,
            "issuer_record": self.world.registry_id,
            **changes,
        }
        self.world.ledger.put(ISSUER, LIST_ID, StatusListRecord(**fields))

    def publish(self) -> None:
        self.serve()
        self.anchor_list()

    def report(self) -> VerificationReport:
        return self.made.report()

    def refusal(self) -> tuple[str, str]:
        return refusal(self.report())


def entry(**changes: Any) -> JsonObject:
    fields = {"purpose": REVOCATION, "index": INDEX, "list_url": purpose_url(URI, REVOCATION)}
    return StatusEntry(**{**fields, **changes}).to_json()


@pytest.mark.parametrize("secured", [JWT, DATA_INTEGRITY])
@pytest.mark.parametrize("bits", [1, 2])
def test_what_the_lists_say_counts(bits: int, secured: str) -> None:
    world = BitstringWorld(bits=bits, secured=secured)
    assert world.report().accepted
    assert len(world.fetched) == bits
    # Another credential's bit is none of this one's.
    world.lists[REVOCATION][INDEX + 1] = True
    world.publish()
    assert world.report().accepted
    world.lists[REVOCATION][INDEX] = True
    world.publish()
    name, words = world.refusal()
    assert (name, "revoked" in words) == ("status", True)


def test_a_suspension_counts_and_ends() -> None:
    world = BitstringWorld()
    world.lists[SUSPENSION][INDEX] = True
    world.publish()
    name, words = world.refusal()
    assert (name, "suspended" in words) == ("status", True)
    world.lists[SUSPENSION][INDEX] = False
    world.publish()
    assert world.report().accepted


def test_a_copy_counts_while_the_ledger_names_it() -> None:
    world = BitstringWorld()
    assert world.report().accepted
    assert world.report().accepted
    assert len(world.fetched) == 2
    world.lists[REVOCATION][INDEX] = True
    world.anchor_list()
    # Published is still the old one: the ledger's word is the later one.
    assert world.refusal()[0] == "status_list"
    world.serve()
    assert world.refusal()[0] == "status"


def test_a_copy_is_fetched_anew_when_it_is_old() -> None:
    world = BitstringWorld()
    assert world.report().accepted
    world.world.now_ms += DEFAULT_TTL_S * 1000
    world.serve()
    world.made.request = world.made.make_request()
    assert world.report().accepted
    assert len(world.fetched) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "https://issuer.example/other"}, "another URL"),
        ({"purpose": "message"}, "not about"),
        ({"valid_until": date_time_stamp(NOW_S - 3600)}, "validUntil"),
        ({"valid_from": date_time_stamp(NOW_S + 3600)}, "validFrom"),
    ],
    ids=["url", "purpose", "expired", "not yet"],
)
def test_bitstring_3_2_another_list_is_refused(changes: dict[str, Any], words: str) -> None:
    world = BitstringWorld()
    world.serve(**changes)
    name, detail = world.refusal()
    assert name == "status_list"
    assert words in detail


@pytest.mark.parametrize("secured", [JWT, DATA_INTEGRITY])
def test_bitstring_3_2_a_list_of_another_signer_is_refused(secured: str) -> None:
    world = BitstringWorld(secured=secured)
    world.serve(key=generate_key())
    assert world.refusal()[0] == "status_list"


def test_a_list_that_cannot_be_had_is_a_refusal() -> None:
    world = BitstringWorld()
    answers, world.answers = world.answers, {}
    assert "cannot be fetched" in world.refusal()[1]
    url = world.url(SUSPENSION)
    world.answers = {**answers, url: HttpAnswer(status=404, media_type="text/html", body=b"")}
    assert "404" in world.refusal()[1]
    world.answers[url] = HttpAnswer(status=200, media_type=JWT, body=b"\xff")
    assert world.refusal()[0] == "status_list"
    world.answers[url] = HttpAnswer(status=200, media_type="text/html", body=b"")
    assert "not of the type" in world.refusal()[1]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ([], "where in its list"),
        ({**entry(), "statusPurpose": "message", "statusSize": 2}, "where in its list"),
        ([entry(), entry(purpose=SUSPENSION, index=1)], "two places"),
        (entry(list_url="https://attacker.example"), "another status list"),
        (entry(list_url=URI), "another status list"),
        ([entry(), entry(purpose=SUSPENSION)], "another status list"),
        (entry(index=1 << 25), "the list has"),
    ],
    ids=["none", "of a message", "two places", "other", "token's", "one of both", "beyond"],
)
def test_a_place_that_the_ledger_does_not_name_is_refused(status: Any, words: str) -> None:
    name, detail = BitstringWorld(status=status).refusal()
    assert name == "status_list"
    assert words in detail


def test_one_entry_is_an_object_or_a_list_of_one() -> None:
    world = BitstringWorld(status=entry())
    assert world.report().accepted
    # The lists stand together on the ledger: a suspension counts as well.
    world.lists[SUSPENSION][INDEX] = True
    world.publish()
    assert world.refusal()[0] == "status"


def test_a_list_that_no_record_vouches_for_is_refused() -> None:
    world = BitstringWorld(is_vouched_for=False)
    assert "does not vouch" in world.refusal()[1]
    assert world.fetched == []


def test_lists_of_other_sizes_are_refused() -> None:
    world = BitstringWorld()
    world.lists[SUSPENSION] = Bitstring(bytes(1 << 15))
    world.serve()
    name, detail = world.refusal()
    assert (name, "same size" in detail) == ("status_list", True)


def test_a_record_of_more_bits_is_of_no_bitstring() -> None:
    world = BitstringWorld()
    world.anchor_list(bits=4)
    assert "4 bits" in world.refusal()[1]
