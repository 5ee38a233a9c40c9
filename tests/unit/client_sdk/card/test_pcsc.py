"""The transport over PC/SC, with a stand-in for pyscard, which needs a reader's driver to build."""

import sys
from types import ModuleType

import pytest

from client_sdk.errors import CardError


class SmartcardException(Exception):  # noqa: N818 - pyscard's own name
    pass


class CardRequestTimeoutException(SmartcardException):
    pass


class Connection:
    def __init__(self) -> None:
        self.is_open = False
        self.is_gone = False

    def connect(self) -> None:
        self.is_open = True

    def disconnect(self) -> None:
        self.is_open = False

    def transmit(self, command: list[int]) -> tuple[list[int], int, int]:
        if self.is_gone:
            raise SmartcardException
        return command[:2], 0x90, 0x00


class Reader:
    """What pyscard finds when it waits for a card."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.failure: SmartcardException | None = None

    def waitforcard(self) -> "Reader":
        if self.failure:
            raise self.failure
        return self


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    reader = Reader()
    modules = {
        "smartcard": {},
        "smartcard.CardRequest": {"CardRequest": lambda **_options: reader},
        "smartcard.Exceptions": {
            "CardRequestTimeoutException": CardRequestTimeoutException,
            "SmartcardException": SmartcardException,
        },
        "smartcard.PassThruCardService": {"PassThruCardService": Reader},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "client_sdk.card.pcsc", raising=False)
    return reader


def test_commands_go_to_the_card_and_back(reader: Reader) -> None:
    from client_sdk.card.pcsc import PcscTransport

    with PcscTransport(timeout_s=1) as transport:
        assert reader.connection.is_open
        assert transport.transmit(b"\x00\xa4\x04") == b"\x00\xa4\x90\x00"
    assert not reader.connection.is_open


def test_a_card_that_is_taken_away_is_told(reader: Reader) -> None:
    from client_sdk.card.pcsc import PcscTransport

    with PcscTransport() as transport:
        reader.connection.is_gone = True
        with pytest.raises(CardError, match="taken away"):
            transport.transmit(b"\x00")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (CardRequestTimeoutException(), "no card was laid"),
        (SmartcardException(), "cannot be used"),
    ],
)
def test_no_card_and_no_reader_are_told(
    reader: Reader, failure: SmartcardException, words: str
) -> None:
    from client_sdk.card.pcsc import PcscTransport

    reader.failure = failure
    with pytest.raises(CardError, match=words):
        PcscTransport()
