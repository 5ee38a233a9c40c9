"""Recovery card, password, paper, statement, log, proofs: what is read, and what is not."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import decode_base64url
from client_sdk.credentials.jose import (
    Key,
    generate_key,
    key_from_seed,
    parse_compact,
    sign_compact,
    thumbprint,
)
from client_sdk.errors import (
    AccessLogError,
    EscrowFormatError,
    RequestProofError,
    VaultFormatError,
    WeakPasswordError,
)
from client_sdk.escrow.access_log import (
    HEAD_TYP,
    START,
    LogEntry,
    sign_head,
    verify_head,
    verify_log,
)
from client_sdk.escrow.agent_set import AgentSet, agent_set
from client_sdk.escrow.backup import (
    STEP_BYTES,
    BackupPlace,
    WalletSecret,
    derive_keys,
    open_backup,
    oprf_input,
    seal_backup,
)
from client_sdk.escrow.deposit_statement import (
    DepositStatement,
    handle_of,
    verify_statement,
)
from client_sdk.escrow.paper_backup import (
    join_shares,
    parse_paper_share,
    split_protection,
)
from client_sdk.escrow.printable_page import render_card, render_sheet
from client_sdk.escrow.protection import Protection
from client_sdk.escrow.recovery_card import SCHEME, RecoveryCard, parse_recovery_card
from client_sdk.escrow.recovery_secret import (
    MAX_BYTES,
    PasskeySecret,
    encode_secret,
    validate_strength,
)
from client_sdk.escrow.request_proof import sign_request, verify_request
from client_sdk.sealing.vault import CHEAPEST
from client_sdk.threshold_oprf import share_key
from client_sdk.threshold_oprf.ristretto255 import random_scalar

URLS = ("https://one.example", "https://two.example", "http://127.0.0.1:8082")
AGENTS = agent_set(2, ["key1", "key2", "key3"])
CARD = RecoveryCard(secret=bytes(range(32)), agent_set=AGENTS.id, urls=URLS)
SECRET = WalletSecret(value=bytes(range(32, 64)))
PROTECTION = Protection(
    handle=CARD.handle,
    urls=URLS,
    agents=AGENTS,
    epoch=1,
    version=3,
    secret=SECRET,
    acknowledged={URLS[0]: 3, URLS[1]: 2},
    log_heads={URLS[0]: "head"},
    read_heads={URLS[0]: "older head"},
)


def test_a_card_is_read_as_it_was_written() -> None:
    assert parse_recovery_card(CARD.encode()) == CARD
    # As a person types it, with line breaks.
    assert parse_recovery_card("\n".join(re.findall(".{1,40}", CARD.encode()))) == CARD
    assert CARD.handle == handle_of(thumbprint(key_from_seed(CARD.secret)))
    drawn = RecoveryCard.draw(agent_set=AGENTS.id, urls=URLS)
    assert drawn.secret != CARD.secret
    assert len(drawn.handle) == 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://one.example",
        SCHEME,
        CARD.encode().replace("secret=", "secret=!"),
        CARD.encode().replace("AAEC", "AA"),
        CARD.encode().replace("http://127.0.0.1", "http://192.0.2.1"),
        CARD.encode().replace("url=", "other="),
        CARD.encode().partition("&url")[0],
        CARD.encode().replace("agents=", "agents=AAAA"),
        CARD.encode() + "&url=https://more.example" * 20,
        CARD.encode() + "&url=https://more.example/" + "a" * 4096,
    ],
)
def test_no_card(text: str) -> None:
    with pytest.raises(EscrowFormatError):
        parse_recovery_card(text)


@given(st.text())
def test_any_text_is_a_card_or_a_clear_error(text: str) -> None:
    for prefix, parse in ((SCHEME, parse_recovery_card), ("tegata-paper:v1?", parse_paper_share)):
        for whole in (text, prefix + text):
            with pytest.raises(EscrowFormatError):
                parse(whole)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_pages_hold_all_and_load_nothing(language: Any) -> None:
    page = render_card(CARD, language=language)
    assert f'<html lang="{language}">' in page
    for text in (CARD.handle, *URLS, CARD.encode().replace("&", "&amp;"), "<svg"):
        assert text in page
    assert not re.search(r"(src|href)=", page.replace("xlink", ""))
    (sheet, *_) = split_protection(PROTECTION, threshold=2, shares=3)
    page = render_sheet(sheet, place=1, language=language)
    assert "<svg" in page
    assert all(f"<li>{word}</li>" in page for word in sheet.words.split())


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("Ab1", "8 characters"),
        ("abcdefgh1", "an upper-case letter"),
        ("ABCDEFGH1", "a lower-case letter"),
        ("Abcdefghi", "a digit"),
        ("", "8 characters, a digit, an upper-case letter, a lower-case letter"),
        ("Password1", "too easily guessed"),
        ("Hanako1990", "too easily guessed"),
        ("Aa1" + "あ" * MAX_BYTES, "at most"),
        ("Aa345678\ud800", "no"),
    ],
)
def test_a_weak_password_is_told_what_to_do(password: str, word: str) -> None:
    with pytest.raises(WeakPasswordError, match=word):
        validate_strength(password)


def test_what_others_know_of_the_holder_is_no_password() -> None:
    validate_strength("Midorimachi3141x")
    with pytest.raises(WeakPasswordError):
        validate_strength("Midorimachi3141x", known_words=["Midorimachi3141x"])


@pytest.mark.parametrize("password", ["Aoba-Kawa-93-Mikan", "correct Horse 7 battery" * 20])
def test_a_good_password_passes(password: str) -> None:
    validate_strength(password)


def test_a_passkeys_secret_is_32_bytes_and_no_password() -> None:
    passkey = PasskeySecret(output=b"12345678" * 4)
    validate_strength(passkey)
    assert encode_secret(passkey) != encode_secret("12345678" * 4)
    assert "12345678" not in repr(passkey)
    with pytest.raises(WeakPasswordError, match="32 bytes"):
        PasskeySecret(output=b"short")


def test_a_password_is_compared_in_one_normal_form() -> None:
    assert encode_secret("が") == encode_secret("か\u3099")


def test_the_keys_depend_on_everything() -> None:
    def keys(rwd: bytes = b"r" * 64, handle: str = "h", agents: str = "a") -> bytes:
        made = derive_keys(rwd, handle=handle, agent_set=agents, kdf=CHEAPEST)
        return made.wallet_secret.value + made.success_seed

    assert keys() == keys()
    assert len({keys(), keys(b"s" * 64), keys(handle="i"), keys(agents="b")}) == 4
    assert oprf_input(handle="h", agent_set="a", secret="s") != oprf_input(
        handle="h", agent_set="b", secret="s"
    )


PLACE = BackupPlace(handle="h", agent_set="a", epoch=1, version=1)


def test_a_backup_opens_at_its_place_only() -> None:
    contents: dict[str, Any] = {"name": "手形"}
    sealed = seal_backup(contents, secret=SECRET, place=PLACE)
    assert open_backup(sealed, secret=SECRET, place=PLACE) == contents
    assert len(sealed) == STEP_BYTES + 40
    for place in (
        replace(PLACE, version=2),
        replace(PLACE, epoch=2),
        replace(PLACE, handle="i"),
        replace(PLACE, agent_set="b"),
    ):
        with pytest.raises(EscrowFormatError, match="was changed"):
            open_backup(sealed, secret=SECRET, place=place)
    for broken in (b"", sealed[:-1], sealed + b"x"):
        with pytest.raises(EscrowFormatError, match="was changed"):
            open_backup(broken, secret=SECRET, place=PLACE)
    with pytest.raises(EscrowFormatError):
        open_backup(sealed, secret=WalletSecret(value=bytes(32)), place=PLACE)


def test_a_backups_size_says_little_and_has_a_limit() -> None:
    sizes = {
        len(seal_backup({"text": "x" * length}, secret=SECRET, place=PLACE))
        for length in range(0, 4000, 100)
    }
    assert len(sizes) == 1
    with pytest.raises(EscrowFormatError, match="at most"):
        seal_backup({"text": "x" * (1 << 20)}, secret=SECRET, place=PLACE)


def test_a_protection_is_read_as_it_was_written() -> None:
    assert Protection.from_fields(PROTECTION.to_fields()) == PROTECTION
    assert PROTECTION.lagging == URLS[1:]
    fields = PROTECTION.to_fields()
    # A wallet of before does not say how far it has read.
    before = Protection.from_fields({n: v for n, v in fields.items() if n != "read_heads"})
    assert before.read_heads == PROTECTION.log_heads
    for name in fields:
        for wrong in (None, True, -1, {"a": None}):
            with pytest.raises(VaultFormatError):
                Protection.from_fields({**fields, name: wrong})
    with pytest.raises(VaultFormatError, match="threshold"):
        Protection.from_fields({**fields, "threshold": 9})


def test_sheets_bring_the_secret_back() -> None:
    sheets = split_protection(PROTECTION, threshold=2, shares=3)
    read = [parse_paper_share(sheet.encode()) for sheet in sheets]
    assert read == sheets
    for some in (read[:2], read[1:], [read[0], read[2]]):
        assert join_shares(some) == SECRET
    assert sheets[0].words not in repr(sheets[0])
    assert len(sheets[0].words.split()) == 33


def test_sheets_that_do_not_fit() -> None:
    sheets = split_protection(PROTECTION, threshold=2, shares=3)
    others = split_protection(PROTECTION, threshold=2, shares=3)
    elsewhere = replace(sheets[1], handle="0" * 32)
    misspelt = replace(sheets[1], words=sheets[1].words.replace(" ", " x", 1))
    for some, word in (
        ([], "different wallets"),
        ([sheets[0], elsewhere], "different wallets"),
        ([sheets[0]], "do not give the secret"),
        ([sheets[0], others[1]], "do not give the secret"),
        ([sheets[0], misspelt], "do not give the secret"),
    ):
        with pytest.raises(EscrowFormatError, match=word):
            join_shares(some)
    for threshold, count in ((1, 3), (4, 3), (2, 17)):
        with pytest.raises(EscrowFormatError, match="2 <= threshold"):
            split_protection(PROTECTION, threshold=threshold, shares=count)


def test_no_sheet() -> None:
    good = split_protection(PROTECTION, threshold=2, shares=3)[0].encode()
    for text in (
        "",
        good.replace("words=", "other="),
        good.replace("https://one.example", "http://192.0.2.1"),
        re.sub(r"&url=[^&]*", "", good),
        good + "a" * 4096,
    ):
        with pytest.raises(EscrowFormatError):
            parse_paper_share(text)


@pytest.mark.parametrize(
    ("threshold", "keys"),
    [(0, ("a",)), (2, ("a",)), (1, ("a", "a")), (1, ()), (1, tuple("abcdefghijklmnopq"))],
)
def test_no_agent_set(threshold: int, keys: tuple[str, ...]) -> None:
    with pytest.raises(EscrowFormatError, match="different agents"):
        AgentSet(threshold=threshold, keys=keys)


def test_an_agent_set_is_known_by_threshold_and_keys() -> None:
    ids = {
        AGENTS.id,
        agent_set(3, AGENTS.keys).id,
        agent_set(2, AGENTS.keys[::-1]).id,
        agent_set(2, AGENTS.keys[:2]).id,
    }
    assert len(ids) == 4
    assert len(decode_base64url(AGENTS.id)) == 32
    assert AGENTS.index_of("key3") == 3
    with pytest.raises(EscrowFormatError, match="none of this agent set"):
        AGENTS.index_of("key4")


def _statement(**changes: Any) -> DepositStatement:
    shared = share_key(random_scalar(), threshold=2, parties=3)
    fields: dict[str, Any] = {
        "handle": CARD.handle,
        "epoch": 5,
        "agents": AGENTS,
        "commitments": shared.commitments,
        "kdf": CHEAPEST,
        "owner_key": "owner",
        "success_key": "success",
        "account": "a@holder",
        **changes,
    }
    return DepositStatement(**fields)


def test_a_statement_is_the_cards() -> None:
    statement = _statement()
    token = statement.sign(CARD.key)
    assert verify_statement(token, expected_handle=CARD.handle) == statement
    other = generate_key()
    for wrong, handle, word in (
        (statement.sign(other), CARD.handle, "another recovery card"),
        (token, handle_of(thumbprint(other)), "another recovery card"),
        (_statement(handle="0" * 32).sign(CARD.key), CARD.handle, "another recovery card"),
        (token[:-4] + "AAAA", CARD.handle, "does not verify"),
        ("", CARD.handle, "three parts"),
    ):
        with pytest.raises(EscrowFormatError, match=word):
            verify_statement(wrong, expected_handle=handle)
    with pytest.raises(EscrowFormatError, match="as many commitments"):
        _statement(commitments=statement.commitments[:1])


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 4},
        {"commitments": ["AA", "AA"]},
        {"commitments": "none"},
        {"kdf_passes": 0},
        {"epoch": -1},
        {"epoch": True},
        {"owner_key": None},
        {"account": 7},
        {"agent_keys": [1]},
    ],
)
def test_a_statement_of_another_form(change: dict[str, Any]) -> None:
    key = CARD.key
    token = _statement().sign(key)
    parsed = parse_compact(token)
    forged = sign_compact(parsed.unverified_header, {**parsed.unverified_payload, **change}, key)
    with pytest.raises(EscrowFormatError):
        verify_statement(forged, expected_handle=CARD.handle)


def _log(count: int) -> list[LogEntry]:
    entries: list[LogEntry] = []
    for place in range(1, count + 1):
        previous = entries[-1].hash if entries else START
        entries.append(
            LogEntry(sequence=place, time_ms=place, event="e", caller="card", previous=previous)
        )
    return entries


def _head(key: Key, entries: list[LogEntry]) -> str:
    last = entries[-1].hash if entries else START
    return sign_head(key, handle="h", sequence=len(entries), entry_hash=last)


@given(st.integers(min_value=0, max_value=6), st.integers(min_value=0, max_value=6))
def test_a_log_goes_on_from_what_is_known(known: int, now: int) -> None:
    key = generate_key()
    head, known_head = (
        verify_head(_head(key, _log(count)), expected_handle="h") for count in (now, known)
    )
    if known <= now:
        verify_log(_log(now), head, known_head=known_head)
    else:
        with pytest.raises(AccessLogError, match="signed earlier"):
            verify_log(_log(now), head, known_head=known_head)


CHANGES: list[Callable[[list[LogEntry]], list[LogEntry]]] = [
    lambda log: log[1:],
    lambda log: log[:-1],
    lambda log: [log[1], log[0], *log[2:]],
    lambda log: [replace(log[0], event="nothing"), *log[1:]],
    lambda log: [*log[:-1], replace(log[-1], time_ms=9)],
    lambda log: [*log[:-1], replace(log[-1], caller="owner")],
    lambda log: [*log, replace(log[-1], sequence=len(log) + 1)],
    lambda _: [],
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_log_that_was_changed(change: Callable[[list[LogEntry]], list[LogEntry]]) -> None:
    key, entries = generate_key(), _log(4)
    head = verify_head(_head(key, entries), expected_handle="h")
    verify_log(entries, head)
    with pytest.raises(AccessLogError):
        verify_log(change(entries), head)


def test_a_rewritten_log_contradicts_the_known_head() -> None:
    key, entries = generate_key(), _log(3)
    known = verify_head(_head(key, entries[:2]), expected_handle="h")
    first = replace(entries[0], event="another")
    second = replace(entries[1], previous=first.hash)
    rewritten = [first, second]
    head = verify_head(_head(key, rewritten), expected_handle="h")
    verify_log(rewritten, head)
    with pytest.raises(AccessLogError, match="signed earlier"):
        verify_log(rewritten, head, known_head=known)


def test_no_head() -> None:
    key = generate_key()
    token = _head(key, [])
    with pytest.raises(AccessLogError, match="another handle"):
        verify_head(token, expected_handle="i")
    unnamed = sign_compact({"typ": HEAD_TYP}, {"handle": "h"}, key)
    for wrong in ("", token[:-4] + "AAAA", unnamed):
        with pytest.raises(AccessLogError):
            verify_head(wrong, expected_handle="h")


def test_a_request_is_proven_by_its_key() -> None:
    key = generate_key()
    fields: dict[str, Any] = {"method": "PUT", "url": "https://a.example/x", "body": b"{}"}
    proof = sign_request(key, nonce="n", **fields)
    assert verify_request(proof, **fields).key == thumbprint(key)
    assert verify_request(proof, **fields).nonce == "n"
    for name, value in {"method": "POST", "url": "https://b.example/x", "body": b"{ }"}.items():
        with pytest.raises(RequestProofError, match="another request"):
            verify_request(proof, **{**fields, name: value})
    with pytest.raises(RequestProofError):
        verify_request(proof[:-4] + "AAAA", **fields)


@given(st.text())
def test_any_text_is_a_proof_or_a_clear_error(text: str) -> None:
    with pytest.raises(RequestProofError):
        verify_request(text, method="GET", url="https://a.example/", body=b"")
