import re
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.credentials.individual_number import has_individual_number
from client_sdk.credentials.resident import (
    MAX_PORTRAIT_BYTES,
    RESIDENT_CLAIMS,
    ResidentAttributes,
    age_on,
    concealed_paths,
    new_credential_number,
    resident_claims,
)
from client_sdk.errors import CredentialFormatError

TODAY = date(2026, 11, 23)
FULL_WIDTH = "".join(chr(0xFF10 + int(digit)) for digit in "123456789012")
JPEG = b"\xff\xd8\xff\xe0portrait\xff\xd9"
VALUES: dict[str, Any] = {
    "name": "青葉 花子",
    "address": "仙台市青葉区一番町三丁目7番1号",
    "municipality": "仙台市",
    "birth_date": date(1990, 4, 1),
    "sex": "2",
    "portrait": JPEG,
}


def attributes(**changes: Any) -> ResidentAttributes:
    return ResidentAttributes(**{**VALUES, **changes})


def test_claims_hold_each_attribute_and_what_follows_from_it() -> None:
    claims = resident_claims(attributes(), on=TODAY)
    assert set(claims) == set(RESIDENT_CLAIMS)
    assert claims["birth_date"] == "1990-04-01"
    assert claims["age_over_18"] is True
    assert claims["portrait"] == "data:image/jpeg;base64,/9j/4HBvcnRyYWl0/9k="
    assert concealed_paths(claims) == tuple((name,) for name in RESIDENT_CLAIMS)


def test_resident_without_portrait_has_no_such_claim() -> None:
    claims = resident_claims(attributes(portrait=None), on=TODAY)
    assert ("portrait",) not in concealed_paths(claims)
    assert set(claims) == set(RESIDENT_CLAIMS) - {"portrait"}


@pytest.mark.parametrize(
    ("portrait", "media_type"),
    [
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n...", "image/jp2"),
        (b"\xff\x4f\xff\x51...", "image/j2c"),
    ],
)
def test_jpeg_2000_is_a_portrait(portrait: bytes, media_type: str) -> None:
    claim = resident_claims(attributes(portrait=portrait), on=TODAY)["portrait"]
    assert str(claim).startswith(f"data:{media_type};base64,")


# 年齢計算ニ関スル法律: the new age holds from the birthday on; of 29 February, from 1 March.
@pytest.mark.parametrize(
    ("birth_date", "day", "age"),
    [
        ("2008-11-23", "2026-11-22", 17),
        ("2008-11-23", "2026-11-23", 18),
        ("2008-02-29", "2026-02-28", 17),
        ("2008-02-29", "2026-03-01", 18),
        ("2008-02-29", "2028-02-28", 19),
        ("2008-02-29", "2028-02-29", 20),
        ("2008-03-01", "2026-02-28", 17),
        ("2026-11-23", "2026-11-23", 0),
        ("2025-12-31", "2026-01-01", 0),
    ],
)
def test_age_follows_the_law(birth_date: str, day: str, age: int) -> None:
    assert age_on(date.fromisoformat(birth_date), date.fromisoformat(day)) == age


@given(birth=st.dates(date(1900, 1, 1), date(2030, 1, 1)), days=st.integers(0, 50_000))
def test_age_never_falls_and_rises_once_a_year(birth: date, days: int) -> None:
    day = date.fromordinal(birth.toordinal() + days)
    tomorrow = date.fromordinal(day.toordinal() + 1)
    assert age_on(birth, tomorrow) - age_on(birth, day) in (0, 1)
    # After n years at the latest, and not a day too early.
    years = age_on(birth, day)
    assert years * 365 <= days + 1
    assert days < (years + 1) * 366 + 1


@pytest.mark.parametrize("birth_date", [date(2026, 11, 24), date(1875, 11, 23)])
def test_impossible_birth_date_is_refused(birth_date: date) -> None:
    with pytest.raises(CredentialFormatError, match="birth_date"):
        resident_claims(attributes(birth_date=birth_date), on=TODAY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("name", " 花子"),
        ("name", "花\u200b子"),
        ("name", "花\u202e子"),
        ("name", "花\n子"),
        ("name", "花\ue000子"),
        ("name", "花\ud800子"),
        ("name", "か\u3099"),
        ("name", "\ufa19"),
        ("name", 7),
        ("address", "x" * 401),
        ("address", "123456789012"),
        ("address", "1234-5678-9012"),
        ("address", FULL_WIDTH),
        ("municipality", "x" * 101),
        ("birth_date", "1990-04-01"),
        ("birth_date", datetime(1990, 4, 1)),  # noqa: DTZ001
        ("sex", "3"),
        ("sex", 1),
        ("portrait", b"GIF89a"),
        ("portrait", JPEG[:-1]),
        ("portrait", b"\xff\xd8\xff" + bytes(MAX_PORTRAIT_BYTES) + b"\xff\xd9"),
        ("portrait", "text"),
    ],
)
def test_wrong_attribute_is_refused_without_being_repeated(name: str, value: object) -> None:
    with pytest.raises(CredentialFormatError, match=name) as caught:
        attributes(**{name: value})
    assert len(str(value)) < 3 or str(value) not in str(caught.value)


@pytest.mark.parametrize("name", ["葛\U000e0100飾", "𠮷田", "Ōta Émile", "神\ufe00田"])
def test_names_with_rare_characters_are_kept_as_they_are(name: str) -> None:
    assert resident_claims(attributes(name=name), on=TODAY)["name"] == name


def test_repr_shows_no_value() -> None:
    assert repr(attributes()) == "ResidentAttributes()"


def test_credential_numbers_are_our_own_and_differ() -> None:
    numbers = {new_credential_number() for _ in range(200)}
    assert len(numbers) == 200
    for number in numbers:
        assert re.fullmatch(r"T(-[0-9A-HJKMNP-TV-Z]{5}){4}", number)
        assert not has_individual_number(number)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("123456789012", True),
        ("番号1234 5678 9012です", True),
        ("1234\u20105678\u20109012", True),
        (123456789012, True),
        (-123456789012, True),
        ({"a": [{"123456789012": 1}]}, True),
        ("12345678901", False),
        ("1234567890123", False),
        (10**30, False),
        (True, False),
        (None, False),
        (1.5, False),
        ("data:image/jpeg;base64,123456789012", False),
        ("03-1234-5678", False),
    ],
)
def test_individual_numbers_are_recognised(value: object, expected: bool) -> None:
    assert has_individual_number(value) is expected
