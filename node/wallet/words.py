"""What is in credentials and requests, in plain words of the reader's language."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from babel.dates import format_date
from babel.lists import format_list

from chaincode.encoding import JsonValue
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.openid4vp.claims_path import ClaimsPath, name_path
from client_sdk.purposes import PurposeTerm
from node.web.languages import gettext, gettext_noop, language

_ATTRIBUTES: Final = {
    "name": gettext_noop("Name"),
    "address": gettext_noop("Address"),
    "municipality": gettext_noop("Municipality"),
    "birth_date": gettext_noop("Date of birth"),
    "age_over_18": gettext_noop("18 years or older"),
    "sex": gettext_noop("Sex"),
    "portrait": gettext_noop("Portrait"),
    "credential_number": gettext_noop("Credential number"),
}
_CREDENTIALS: Final = {RESIDENT_CREDENTIAL_TYPE: gettext_noop("Residence credential")}
# ISO/IEC 5218.
_SEX: Final = {
    "0": gettext_noop("not known"),
    "1": gettext_noop("male"),
    "2": gettext_noop("female"),
    "9": gettext_noop("not applicable"),
}
_PICTURE: Final = re.compile(r"data:image/(jpeg|png);base64,[A-Za-z0-9+/]+={0,2}")
_MAX_TEXT_CHARS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownValue:
    """A value as a page shows it.

    Attributes:
        text: In words; of a picture, what it is.
        picture: A `data:` URL of a picture; None for none.
    """

    text: str
    picture: str | None = None


def attribute_name(path: ClaimsPath) -> str:
    """Return what an attribute is called."""
    known = _ATTRIBUTES.get(str(path[0])) if len(path) == 1 else None
    return gettext(known) if known else name_path(path)


def attribute_names(paths: tuple[ClaimsPath, ...]) -> str:
    """Return what attributes are called, as a list in words."""
    names = list(dict.fromkeys(map(attribute_name, paths)))
    return format_list(names, locale=language()) if names else ""


def credential_name(credential_type: str) -> str:
    """Return what a kind of credential is called."""
    known = _CREDENTIALS.get(credential_type)
    return gettext(known) if known else credential_type


def purpose_name(term: PurposeTerm) -> str:
    """Return what a term of the vocabulary of purposes is called."""
    return term.japanese if language() == "ja" else term.english


def show_value(path: ClaimsPath, value: JsonValue) -> ShownValue:
    """Return an attribute's value as a page shows it."""
    match value:
        case bool():
            return ShownValue(text=gettext("yes") if value else gettext("no"))
        case str() if _PICTURE.fullmatch(value):
            return ShownValue(text=attribute_name(path), picture=value)
        case str() if value.startswith("data:image/"):
            return ShownValue(text=gettext("a picture"))
        case str() if path == ("sex",) and value in _SEX:
            return ShownValue(text=gettext(_SEX[value]))
        case str() if path == ("birth_date",):
            return ShownValue(text=_show_date(value))
        case _:
            text = str(value)
            is_long = len(text) > _MAX_TEXT_CHARS
            return ShownValue(text=f"{text[:_MAX_TEXT_CHARS]}…" if is_long else text)


def _show_date(text: str) -> str:
    try:
        return format_date(date.fromisoformat(text), "long", locale=language())
    except ValueError:
        return text
