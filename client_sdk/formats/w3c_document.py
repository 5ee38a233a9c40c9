"""A credential of the W3C data model 2.0: made of an issuer's terms, and read back.

The type beside `VerifiableCredential` is the same IRI as an SD-JWT VC's `vct`, so that it stands
for itself in a query's `type_values`. Attributes are terms of W3C's vocabulary for terms that no
context defines; nobody fetches it. An object in `@context` would be refused by libraries that
compare contexts by identity. The holder is the subject, by the `did:jwk` of its key.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.bitstring_status_list import StatusEntry
from client_sdk.credentials.jose import Key, export_public_jwk, parse_public_jwk
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.credentials.status_bits import STATUS_OF, purpose_url
from client_sdk.credentials.token_status_list import StatusReference
from client_sdk.credentials.w3c_vc import CONTEXT, CREDENTIAL_TYPE, parse_date_time_stamp, types_of
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, did_jwk
from client_sdk.errors import (
    ClientError,
    CredentialFormatError,
    HolderBindingError,
    RequestMismatchError,
)
from client_sdk.formats.interface import GENERAL_TYPES, CredentialTerms

OWN_CLAIMS: Final = frozenset(
    {"@context", "id", "type", "issuer", "validFrom", "validUntil", "credentialStatus"}
    | {"cnf", "status", PLACE_CLAIM}
)
SUBJECT: Final[Path] = ("credentialSubject",)
CONTEXTS: Final = (CONTEXT, "https://www.w3.org/ns/credentials/undefined-terms/v2")
_SELF_CONTAINED: Final = DidResolver({"jwk": DidJwk(), "key": DidKey()})
"""Holders are known by keys that their DIDs spell out: nothing is fetched at a holder's word."""


def build_document(terms: CredentialTerms) -> JsonObject:
    """Return the credential that an issuer's terms stand for, unsecured.

    Raises:
        CredentialFormatError: An attribute has the name `id`, or one begins with `@`.
        KeyFormatError: The holder's key is of no allowed kind.
    """
    if any(name == "id" or name.startswith("@") for name in terms.attributes):
        raise CredentialFormatError("attributes: id and names with @ mean something else in a VC")
    holder_key = parse_public_jwk(terms.holder_key)
    document: JsonObject = {
        "@context": [*CONTEXTS],
        "type": [CREDENTIAL_TYPE, terms.credential_type],
        "issuer": terms.issuer_did,
        "validFrom": date_time_stamp(terms.issued_at),
        "validUntil": date_time_stamp(terms.expires_at),
        "credentialSubject": {"id": did_jwk(holder_key), **terms.attributes},
        **terms.more,
    }
    if "status" in terms.more:
        document["credentialStatus"] = _status_entries(terms.more["status"])
    return document


def _status_entries(status: JsonValue) -> list[JsonValue]:
    """Return the entries that say the same in W3C's form: an issuer publishes its list in both."""
    reference = StatusReference.from_claim(status)
    if reference is None:
        return []
    return [
        StatusEntry(
            purpose=purpose, index=reference.index, list_url=purpose_url(reference.uri, purpose)
        ).to_json()
        for purpose in STATUS_OF
    ]


def date_time_stamp(time_s: int) -> str:
    """Return seconds since 1970-01-01 UTC as a `dateTimeStamp`."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def expanded_types(document: JsonObject) -> frozenset[str]:
    """Return the types, with that of every credential also as its IRI."""
    types = frozenset(types_of(document))
    return types | GENERAL_TYPES if CREDENTIAL_TYPE in types else types


def own_type(document: JsonObject) -> str:
    """Return the first type beside `VerifiableCredential`, or that one where it is alone."""
    return next((name for name in types_of(document) if name != CREDENTIAL_TYPE), CREDENTIAL_TYPE)


def check_types(document: JsonObject, expected_types: Sequence[Collection[str]]) -> None:
    """Refuse a credential that has not all types of one of the alternatives.

    Raises:
        RequestMismatchError: It has not.
    """
    types = expanded_types(document)
    if not any(types.issuperset(wanted) for wanted in expected_types):
        raise RequestMismatchError("the credential is of another type than was asked for")


def expiry_of(document: JsonObject) -> int | None:
    """Return `validUntil` in seconds since 1970-01-01 UTC; None where there is none.

    Raises:
        CredentialFormatError: It is malformed.
    """
    if "validUntil" not in document:
        return None
    return int(parse_date_time_stamp(document["validUntil"], "validUntil"))


def holder_key_of(document: JsonObject) -> JsonObject | None:
    """Return the public JWK of the subject; None where its id spells out no key."""
    subject = document.get("credentialSubject")
    did = subject.get("id") if isinstance(subject, dict) else None
    if not isinstance(did, str):
        return None
    try:
        document_keys = _SELF_CONTAINED.resolve(did).keys
    except ClientError:
        return None
    return next((export_public_jwk(key) for key in document_keys.values()), None)


def holder_method(holder_key: Key) -> str:
    """Return the verification method of a holder's key."""
    return f"{did_jwk(holder_key)}#0"


def find_holder_key(url: str) -> Key:
    """Return the key of a holder's verification method.

    Raises:
        HolderBindingError: It is of a DID that does not spell out its key.
    """
    try:
        return _SELF_CONTAINED.key(url, "authentication")
    except ClientError as error:
        raise HolderBindingError(f"the holder's key: {error}") from None


def require_holder(document: JsonObject, holder_key: Key) -> None:
    """Refuse to present another's credential.

    Raises:
        HolderBindingError: It is bound to another key or to none.
    """
    if holder_key_of(document) != export_public_jwk(holder_key):
        raise HolderBindingError("the credential is not bound to the wallet's key")
