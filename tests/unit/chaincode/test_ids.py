"""The grammar of names: what each pattern takes, and the nearest thing that it does not."""

import re

import pytest

from chaincode import ids

_LABEL = "a" * 63

ACCEPTED = [
    (ids.NAME, ["a", "0", "_", "a" * 32, "a_b_0"]),
    (ids.DOMAIN_ID, ["a", "A", "a-b", "a1", "a.b.c", _LABEL, f"{_LABEL}.{_LABEL}"]),
    (ids.ACCOUNT_ID, ["a@a", "0_a@test", "a@UPPER.Case", "a" * 32 + "@" + _LABEL]),
    (ids.ASSET_ID, ["coin#test"]),
    (ids.DETAIL_KEY, ["a", "A", "_", "0", "k" * 64]),
    (ids.PUBLIC_KEY, ["0", "abc", "AF", "f" * 136]),
    (ids.HASH, ["0" * 64, "aF" * 32]),
    (ids.RECORD_ID, ["0" * 32, "0123456789abcdef" * 2]),
    (
        ids.PEER_ADDRESS,
        ["0.0.0.0:0", "255.255.255.255:65535", "10.0.0.1:10001", "a:1", "node-1.example.org:9"],
    ),
]
REFUSED = [
    (ids.NAME, ["", "A", "a-b", "a.b", "a" * 33, "a\n", "é", "a b", "\x00"]),
    (ids.DOMAIN_ID, ["", ".", "a.", ".a", "a..b", "1a", "-a", "a-", "a_b", _LABEL + "a", "a\n"]),
    (
        ids.ACCOUNT_ID,
        ["", "a", "@a", "a@", "A@a", "a@a@a", "a" * 33 + "@a", " a@a", "a@a\n", "a\x00@a"],
    ),
    (ids.ASSET_ID, ["coin@test", "coin", "Coin#test"]),
    (ids.DETAIL_KEY, ["", "a-b", "k" * 65, "é", "a\n", "a\x00"]),
    (ids.PUBLIC_KEY, ["", "g", "f" * 137, "ab cd", "ab\n"]),
    (ids.HASH, ["", "0" * 63, "0" * 65, "g" * 64]),
    (ids.RECORD_ID, ["", "0" * 31, "0" * 33, "A" * 32, "g" * 32]),
    (
        ids.PEER_ADDRESS,
        [
            "",
            "nohost",
            "10.0.0.1",
            "10.0.0.1:",
            "10.0.0.1:65536",
            "10.0.0.1:70000",
            "256.0.0.1:1",
            "1.2.3:1",
            "[::1]:10001",
            "a_b:1",
            "10.0.0.1:1 ",
            # ARABIC-INDIC DIGIT THREE: a digit, but not one of an address
            "10.0.0.\u0663:1",
            "10.0.0.1:1000\u0663",
        ],
    ),
]


def rows(table: list[tuple[re.Pattern[str], list[str]]]) -> list[tuple[re.Pattern[str], str]]:
    return [(pattern, text) for pattern, texts in table for text in texts]


@pytest.mark.parametrize(("pattern", "text"), rows(ACCEPTED), ids=repr)
def test_accepted(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.fullmatch(text)


@pytest.mark.parametrize(("pattern", "text"), rows(REFUSED), ids=repr)
def test_refused(pattern: re.Pattern[str], text: str) -> None:
    assert not pattern.fullmatch(text)


@pytest.mark.parametrize(
    ("account_id", "domain"), [("a@b.c", "b.c"), ("a@b", "b"), ("genesis", "")]
)
def test_domain_of(account_id: str, domain: str) -> None:
    assert ids.domain_of(account_id) == domain


def test_a_long_name_is_decided_at_once() -> None:
    """No pattern backtracks over a text that a stranger chose."""
    almost = ("a" * 63 + ".") * 2_000 + "!"
    assert not ids.DOMAIN_ID.fullmatch(almost)
    assert not ids.PEER_ADDRESS.fullmatch(almost)
