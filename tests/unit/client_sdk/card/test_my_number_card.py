"""Reading the card: what is read, what is never read, and what a wrong PIN costs."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.virtual_card import (
    ADDRESS,
    JPKI,
    NAME,
    NUMBER_B,
    PASSWORD,
    PIN,
    PORTRAIT,
    SEX,
    TEXT,
    VISUAL,
    Authority,
    VirtualCard,
    objects,
    tlv,
)

from client_sdk.card.ber import parse_all, parse_tlv
from client_sdk.card.my_number_card import MyNumberCard
from client_sdk.card.smart_card import SmartCard
from client_sdk.errors import (
    CardError,
    CardFormatError,
    LastTryError,
    PinBlockedError,
    WrongPinError,
)

AUTHORITY = Authority()


@pytest.fixture
def virtual() -> VirtualCard:
    return VirtualCard(AUTHORITY)


def test_the_four_attributes_are_read(virtual: VirtualCard) -> None:
    found = MyNumberCard(virtual).read_attributes(PIN)
    assert (found.name, found.address, found.sex) == (NAME, ADDRESS, SEX)
    assert found.birth_date == date(1980, 1, 31)
    assert NAME not in repr(found)


def test_the_portrait_is_read_whole(virtual: VirtualCard) -> None:
    assert MyNumberCard(virtual).read_portrait(NUMBER_B) == PORTRAIT


def test_the_certificate_is_read(virtual: VirtualCard) -> None:
    found = MyNumberCard(virtual).read_signing_certificate(PASSWORD.lower())
    assert found == virtual.certificate


def test_the_individual_number_is_never_selected(virtual: VirtualCard) -> None:
    card = MyNumberCard(virtual)
    card.read_attributes(PIN)
    card.read_portrait(NUMBER_B)
    card.read_signing_certificate(PASSWORD)
    application, selected = "", []
    for command in virtual.commands:
        if command[:4].hex() == "00a4040c":
            application = command[5:].hex().upper()
        if command[:4].hex() == "00a4020c":
            selected.append((application, command[5:7].hex()))
    # 0001 of the text application is the number; 0013 of the visual one is verified with it.
    assert (TEXT, "0002") in selected
    assert (TEXT, "0001") not in selected
    assert (VISUAL, "0013") not in selected


def test_a_wrong_pin_says_how_many_tries_are_left(virtual: VirtualCard) -> None:
    card = MyNumberCard(virtual)
    with pytest.raises(WrongPinError, match="2 tries") as caught:
        card.read_attributes("0000")
    assert caught.value.remaining_tries == 2
    assert "0000" not in str(caught.value)


def test_the_last_try_is_never_used(virtual: VirtualCard) -> None:
    card = MyNumberCard(virtual)
    for _ in range(2):
        with pytest.raises(WrongPinError):
            card.read_attributes("0000")
    with pytest.raises(LastTryError):
        card.read_attributes(PIN)
    assert virtual.pins[TEXT, 0x0011].tries == 1


def test_a_blocked_card_says_where_to_go(virtual: VirtualCard) -> None:
    virtual.pins[TEXT, 0x0011].tries = 0
    with pytest.raises(PinBlockedError, match="city office"):
        MyNumberCard(virtual).read_attributes(PIN)


@pytest.mark.parametrize("pin", ["", "123", "12345", "12a4", "\uff11\uff12\uff13\uff14"])
def test_a_pin_of_another_form_costs_no_try(virtual: VirtualCard, pin: str) -> None:
    with pytest.raises(CardError, match="4 digits"):
        MyNumberCard(virtual).read_attributes(pin)
    assert virtual.commands == []


def test_the_other_pins_have_their_forms(virtual: VirtualCard) -> None:
    with pytest.raises(CardError, match="14 digits"):
        MyNumberCard(virtual).read_portrait("123456789012")
    with pytest.raises(CardError, match="6 to 16"):
        MyNumberCard(virtual).sign(b"", "short")


@pytest.mark.parametrize("tag", [0xDF22, 0xDF23, 0xDF24, 0xDF25])
def test_a_missing_attribute_is_named(virtual: VirtualCard, tag: int) -> None:
    values = parse_all(parse_tlv(virtual.files[TEXT, 0x0002])[0].value)
    del values[tag]
    virtual.files[TEXT, 0x0002] = objects(values)
    with pytest.raises(CardFormatError, match="readable"):
        MyNumberCard(virtual).read_attributes(PIN)


@pytest.mark.parametrize("digits", ["19800000", "1980013", "198001311", "19809999", "1980-1-1"])
def test_a_birth_date_that_is_not_whole_is_refused(virtual: VirtualCard, digits: str) -> None:
    values = parse_all(parse_tlv(virtual.files[TEXT, 0x0002])[0].value)
    virtual.files[TEXT, 0x0002] = objects({**values, 0xDF24: digits.encode()})
    with pytest.raises(CardFormatError, match="birth date"):
        MyNumberCard(virtual).read_attributes(PIN)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        tlv(0xFF21, b""),
        objects({0xDF22: b"\xff\xfe"}),
        objects({0xDF22: b"a"})[:-1],
        tlv(0xFF20, tlv(0xDF22, b"a") * 2),
        tlv(0xFF20, b"\xdf"),
        b"\xff\x20\x80",
        b"\xff\x20\x84\x00\x00\x00\x01a",
        b"\xff\x20\x83\xff\xff\xff" + bytes(99),
    ],
)
def test_a_file_of_another_form_is_refused(virtual: VirtualCard, data: bytes) -> None:
    virtual.files[TEXT, 0x0002] = data
    with pytest.raises(CardFormatError):
        MyNumberCard(virtual).read_attributes(PIN)


def test_a_face_without_portrait_is_refused(virtual: VirtualCard) -> None:
    virtual.files[VISUAL, 0x0002] = objects({0xDF22: b"19800131"})
    with pytest.raises(CardFormatError, match="portrait"):
        MyNumberCard(virtual).read_portrait(NUMBER_B)


def test_a_broken_certificate_is_refused(virtual: VirtualCard) -> None:
    virtual.files[JPKI, 0x0001] = tlv(0x30, b"no certificate")
    with pytest.raises(CardFormatError, match=r"X\.509"):
        MyNumberCard(virtual).read_signing_certificate(PASSWORD)


class Answers:
    """A reader whose card gives one answer to everything."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def transmit(self, command: bytes) -> bytes:
        assert command
        return self._answer


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("6A82", "no such application"),
        ("6982", "PIN must be verified"),
        ("6986", "no application is selected"),
        ("6D00", "does not know"),
        ("6F00", "refused"),
        ("", "no answer"),
        ("90", "no answer"),
    ],
)
def test_the_cards_refusals_are_told_in_words(status: str, words: str) -> None:
    card = SmartCard(Answers(bytes.fromhex(status)))
    with pytest.raises(CardError, match=words):
        card.select_file(1)
    with pytest.raises(CardError, match=words):
        card.verify_pin("1234")
    with pytest.raises(CardError, match=words):
        card.remaining_tries()


def test_blocked_is_told_in_each_way_that_cards_say_it() -> None:
    for status in ("6983", "6984"):
        assert SmartCard(Answers(bytes.fromhex(status))).remaining_tries() == 0
    with pytest.raises(PinBlockedError):
        SmartCard(Answers(bytes.fromhex("63C0"))).verify_pin("1234")


def test_a_file_that_ends_early_is_refused() -> None:
    class Short:
        def transmit(self, command: bytes) -> bytes:
            return (b"\x04\x20" if command[3] == 0 else b"") + b"\x90\x00"

    with pytest.raises(CardFormatError, match="ends before"):
        SmartCard(Short()).read_object()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        values = parse_all(data)
    except CardFormatError:
        return
    assert sum(len(value) for value in values.values()) <= len(data)


@given(st.dictionaries(st.sampled_from([0x0C, 0xDF22, 0xFF20]), st.binary(max_size=400)))
def test_what_is_written_is_read_back(values: dict[int, bytes]) -> None:
    data = b"".join(tlv(tag, value) for tag, value in values.items())
    assert parse_all(data) == values
