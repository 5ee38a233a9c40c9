"""The W3C Verifiable Credentials Data Model 2.0: the form of a credential, whatever secures it."""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import CredentialFormatError, ExpiredError, RequestMismatchError

CONTEXT: Final = "https://www.w3.org/ns/credentials/v2"
CREDENTIAL_TYPE: Final = "VerifiableCredential"
PRESENTATION_TYPE: Final = "VerifiablePresentation"
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})", re.ASCII
)


def validate_credential(document: JsonObject) -> None:
    """Refuse a document that is no credential of the data model 2.0 (section 4).

    Raises:
        CredentialFormatError: A required property is missing, or one has another form.
    """
    contexts = document.get("@context")
    if not isinstance(contexts, list) or not contexts or contexts[0] != CONTEXT:
        raise CredentialFormatError(f"@context: a list that begins with {CONTEXT} is expected")
    if CREDENTIAL_TYPE not in types_of(document):
        raise CredentialFormatError(f"type: {CREDENTIAL_TYPE} is required")
    issuer_of(document)
    subjects = document.get("credentialSubject")
    subjects = subjects if isinstance(subjects, list) else [subjects]
    if not subjects or not all(isinstance(item, dict) and item for item in subjects):
        raise CredentialFormatError("credentialSubject: an object with claims is required")
    for name in ("validFrom", "validUntil"):
        if name in document:
            parse_date_time_stamp(document[name], name)


def only_credential(presentation: JsonObject) -> JsonValue:
    """Return the one credential of a presentation of the data model 2.0 (section 4.13).

    Raises:
        CredentialFormatError: It is no such presentation, or there is not exactly one.
    """
    contexts = presentation.get("@context")
    if not isinstance(contexts, list) or contexts[:1] != [CONTEXT]:
        raise CredentialFormatError(f"presentation: @context begins with {CONTEXT}")
    if PRESENTATION_TYPE not in types_of(presentation):
        raise CredentialFormatError(f"presentation: the type {PRESENTATION_TYPE} is required")
    credentials = presentation.get("verifiableCredential")
    if not isinstance(credentials, list):
        credentials = [credentials]
    if len(credentials) != 1:
        raise CredentialFormatError("presentation: exactly one verifiableCredential is expected")
    return credentials[0]


def types_of(document: JsonObject) -> tuple[str, ...]:
    """Return the types of a credential, or nothing where they are malformed (section 4.5)."""
    types = document.get("type")
    names = types if isinstance(types, list) else [types]
    texts = tuple(name for name in names if isinstance(name, str))
    return texts if len(texts) == len(names) else ()


def issuer_of(document: JsonObject) -> str:
    """Return the issuer's URL, from either form of the property (section 4.7).

    Raises:
        CredentialFormatError: There is none.
    """
    issuer = document.get("issuer")
    name = issuer.get("id") if isinstance(issuer, dict) else issuer
    if not isinstance(name, str) or ":" not in name:
        raise CredentialFormatError("issuer: a URL, or an object with one in id, is required")
    return name


def validate_types(document: JsonObject, expected_types: Collection[str]) -> None:
    """Refuse a credential that has not all the types that were asked for.

    Raises:
        RequestMismatchError: A type is missing.
    """
    if not set(expected_types) <= set(types_of(document)):
        raise RequestMismatchError("the credential is of another type than was asked for")


def validate_period(document: JsonObject, *, now_s: int, leeway_s: int) -> None:
    """Refuse a credential outside its validity period (section 4.9).

    Args:
        document: The credential.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        CredentialFormatError: A time is malformed.
        ExpiredError: Not valid yet, or no longer.
    """
    if "validFrom" in document:
        starts = parse_date_time_stamp(document["validFrom"], "validFrom")
        if now_s + leeway_s < starts:
            raise ExpiredError("it is not valid yet (validFrom)")
    if "validUntil" in document:
        ends = parse_date_time_stamp(document["validUntil"], "validUntil")
        if now_s - leeway_s >= ends:
            raise ExpiredError("it has expired (validUntil)")


def parse_date_time_stamp(value: JsonValue, name: str) -> float:
    """Return a `dateTimeStamp` of XML Schema, in seconds since 1970-01-01 UTC.

    Raises:
        CredentialFormatError: Another form, or without a time zone; the text names `name`.
    """
    time = _read_time(value) if isinstance(value, str) else None
    if time is None:
        raise CredentialFormatError(
            f"{name}: a time with its zone is expected, such as 2026-01-31T09:00:00Z"
        )
    return time.timestamp()


def _read_time(text: str) -> datetime | None:
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
