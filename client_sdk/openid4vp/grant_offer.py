"""The grant that a request asks for, and the holder's answer: transaction data `tegata_grant`.

The request carries the terms (OpenID4VP 1.0 section 8.4); the key-binding JWT hashes them, and its
claim `tegata` names the grant that the holder wrote to the ledger (Appendix B.3.3.1).
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Self

from chaincode.encoding import (
    JsonObject,
    JsonValue,
    decode_base64url,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from chaincode.ids import ACCOUNT_ID, HASH, RECORD_ID
from chaincode.records import MAX_TIME_MS
from client_sdk.errors import (
    AnchorError,
    CredentialFormatError,
    HolderBindingError,
    RequestError,
    UnknownPurposeError,
)
from client_sdk.face.demand import FaceDemand
from client_sdk.ledger.batches import Inclusion
from client_sdk.ledger.grants import SALT_BYTES, TRANSACTION_DATA_TYPE, ClaimPath, GrantTerms
from client_sdk.openid4vp.claims_path import sort_paths
from client_sdk.openid4vp.dcql_query import CredentialQuery
from client_sdk.openid4vp.plain_text import is_plain_text
from client_sdk.purposes import DEFAULT_TERM, PurposeTerm, parse_identifier
from client_sdk.sealing.hpke import KEY_BYTES
from client_sdk.strict_json import parse_strict_json_object

HASH_ALGORITHM: Final = "sha-256"
MAX_PURPOSE_CHARS: Final = 200
MAX_NAME_CHARS: Final = 100
MAX_ATTRIBUTES: Final = 32
_MAX_ENCODED_CHARS: Final = 16_384
_MEMBERS: Final = frozenset(
    {
        "type",
        "credential_ids",
        "verifier",
        "verifier_name",
        "attributes",
        "purpose",
        "purpose_term",
        "expires_at_ms",
        "uses",
        "gateway",
        "ledger",
    }
)
_DEPOSIT_KEY: Final = "deposit_key"
_FACE: Final = "face"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantOffer:
    """The grant that a verifier asks a holder to make.

    Attributes:
        query_id: The id of the credential query that it belongs to.
        verifier: The verifier's client identifier, with its prefix.
        verifier_name: Who asks, as the holder sees it.
        attributes: The claims that may be asked for, sorted; a combination of them is shown.
        purpose: What for, in plain words.
        expires_at_ms: When the grant ends; milliseconds since 1970, UTC.
        uses: How often it may be used.
        gateway: The ledger account that serves the verifier.
        ledger: The ledger's id, 64 hex digits.
        purpose_term: The purpose's term in the vocabulary.
        deposit_key: Of a standing grant, the verifier's public key that the presentation is sealed
            to, 32 bytes; None where the presentation is sent and seen at once.
        face: The face test that must come with the presentation; None where none must.
    """

    query_id: str
    verifier: str
    verifier_name: str
    attributes: tuple[ClaimPath, ...]
    purpose: str
    expires_at_ms: int
    uses: int
    gateway: str
    ledger: str
    purpose_term: PurposeTerm = DEFAULT_TERM
    deposit_key: bytes | None = None
    face: FaceDemand | None = None

    def terms(self, credential: str, attributes: tuple[ClaimPath, ...] | None = None) -> GrantTerms:
        """Return what the holder would grant.

        Args:
            credential: The credential's record id.
            attributes: The combination of claims that is shown, sorted; by default all that the
                offer names.
        """
        return GrantTerms(
            verifier=self.verifier,
            credential=credential,
            attributes=self.attributes if attributes is None else attributes,
            purpose=self.purpose,
            purpose_term=self.purpose_term.iri,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantProof:
    """The claim `tegata` of a key-binding JWT: grant and anchor that a presentation is shown under.

    Attributes:
        ledger: The ledger's id, 64 hex digits.
        account: The holder's account.
        grant: The grant's record id, 32 hex digits.
        receipt_key: The public key that receipts of this grant are sealed to, 32 bytes.
        opening: The salt of the grant's commitment, 16 bytes in base64url.
        inclusion: Where in which batch the credential is anchored; None where it is anchored alone.
        consent: The holder's signed record of the consent (`consent_record`); None where the wallet
            makes none.
        face: The attestation of the face test that the offer demands; None where it demands none.
    """

    ledger: str
    account: str
    grant: str
    receipt_key: bytes
    opening: str = field(repr=False)
    inclusion: Inclusion | None = None
    consent: str | None = field(default=None, repr=False)
    face: str | None = field(default=None, repr=False)

    def to_claims(self, transaction_data: tuple[str, ...]) -> JsonObject:
        """Return the claims that the key-binding JWT carries for this grant.

        Args:
            transaction_data: The request's strings, exactly as received.
        """
        proof: JsonObject = {
            "ledger": self.ledger,
            "account": self.account,
            "grant": self.grant,
            "receipt_key": encode_base64url(self.receipt_key),
            "opening": self.opening,
        }
        if self.inclusion is not None:
            proof["inclusion"] = self.inclusion.to_json()
        if self.consent is not None:
            proof["consent"] = self.consent
        if self.face is not None:
            proof["face"] = self.face
        return {
            "tegata": proof,
            "transaction_data_hashes": [hash_transaction_data(text) for text in transaction_data],
            "transaction_data_hashes_alg": HASH_ALGORITHM,
        }

    @classmethod
    def from_claims(cls, claims: JsonObject) -> Self:
        """Return the proof that a key-binding JWT's claims hold.

        Raises:
            HolderBindingError: The claim `tegata` is missing or not well formed.
            AnchorError: Its proof of the anchor is not well formed.
        """
        proof = claims.get("tegata")
        if not isinstance(proof, dict):
            raise HolderBindingError("the wallet's signature names no grant (claim tegata)")
        values: dict[str, str] = {}
        for name, grammar in (("ledger", HASH), ("account", ACCOUNT_ID), ("grant", RECORD_ID)):
            value = proof.get(name)
            if not isinstance(value, str) or not grammar.fullmatch(value):
                raise HolderBindingError(
                    f"the wallet's signature: tegata.{name} is not well formed"
                )
            values[name] = value
        opening = _bytes(proof, "opening", SALT_BYTES)
        try:
            inclusion = Inclusion.from_json(proof["inclusion"]) if "inclusion" in proof else None
        except CredentialFormatError as error:
            raise AnchorError(str(error)) from None
        return cls(
            **values,
            receipt_key=_bytes(proof, "receipt_key", KEY_BYTES),
            opening=encode_base64url(opening),
            inclusion=inclusion,
            consent=_token(proof, "consent"),
            face=_token(proof, "face"),
        )


def _token(proof: JsonObject, name: str) -> str | None:
    token = proof.get(name)
    if token is not None and not isinstance(token, str):
        raise HolderBindingError(f"the wallet's signature: tegata.{name} is not well formed")
    return token


def _bytes(proof: JsonObject, name: str, length: int) -> bytes:
    value = proof.get(name)
    try:
        found = decode_base64url(value) if isinstance(value, str) else b""
    except DecodeError:
        found = b""
    if len(found) != length:
        raise HolderBindingError(f"the wallet's signature: tegata.{name} is not well formed")
    return found


def hash_transaction_data(text: str) -> str:
    """Return the SHA-256 of a transaction data string as sent, in base64url."""
    return encode_base64url(hashlib.sha256(text.encode()).digest())


def encode_grant_offer(offer: GrantOffer) -> str:
    """Return the offer as an element of `transaction_data`.

    Raises:
        RequestError: A member of the offer is not acceptable.
    """
    fields: JsonObject = {
        "type": TRANSACTION_DATA_TYPE,
        "credential_ids": [offer.query_id],
        "verifier": offer.verifier,
        "verifier_name": offer.verifier_name,
        "attributes": [list(path) for path in offer.attributes],
        "purpose": offer.purpose,
        "purpose_term": offer.purpose_term.iri,
        "expires_at_ms": offer.expires_at_ms,
        "uses": offer.uses,
        "gateway": offer.gateway,
        "ledger": offer.ledger,
    }
    if offer.deposit_key is not None:
        fields[_DEPOSIT_KEY] = encode_base64url(offer.deposit_key)
    if offer.face is not None:
        fields[_FACE] = offer.face.to_json()
    try:
        text = encode_base64url(encode_canonical_json(fields))
    except DecodeError as error:
        raise RequestError(f"transaction_data: {error}") from None
    parse_grant_offer(text)  # What no wallet would read is not sent.
    return text


@lru_cache(maxsize=256)
def parse_grant_offer(text: str) -> GrantOffer:
    """Return the offer that an element of `transaction_data` stands for.

    Raises:
        RequestError: Another type of transaction data, an unknown member, or one that is missing or
            not acceptable.
    """
    if len(text) > _MAX_ENCODED_CHARS:
        raise RequestError(f"transaction_data: longer than {_MAX_ENCODED_CHARS} characters")
    try:
        fields = parse_strict_json_object(decode_base64url(text))
    except (DecodeError, CredentialFormatError) as error:
        raise RequestError(f"transaction_data: {error}") from None
    if fields.get("type") != TRANSACTION_DATA_TYPE:
        raise RequestError("transaction_data: of a type that this wallet does not know")
    if fields.keys() - {_DEPOSIT_KEY, _FACE} != _MEMBERS:
        raise RequestError("transaction_data: a member is missing, or one is unknown")
    ids = fields["credential_ids"]
    if not isinstance(ids, list) or len(ids) != 1:
        raise RequestError("transaction_data.credential_ids: one id is expected")
    gateway, ledger = fields["gateway"], fields["ledger"]
    if not isinstance(gateway, str) or not ACCOUNT_ID.fullmatch(gateway):
        raise RequestError("transaction_data.gateway: an account id is expected")
    if not isinstance(ledger, str) or not HASH.fullmatch(ledger):
        raise RequestError("transaction_data.ledger: 64 hex digits are expected")
    return GrantOffer(
        query_id=_text(ids[0], "credential_ids", 64),
        verifier=_text(fields["verifier"], "verifier", 256),
        verifier_name=_text(fields["verifier_name"], "verifier_name", MAX_NAME_CHARS),
        attributes=_attributes(fields["attributes"]),
        purpose=_text(fields["purpose"], "purpose", MAX_PURPOSE_CHARS),
        expires_at_ms=_whole(fields["expires_at_ms"], "expires_at_ms", MAX_TIME_MS),
        uses=_whole(fields["uses"], "uses", 1_000_000),
        gateway=gateway,
        ledger=ledger,
        purpose_term=_purpose_term(fields["purpose_term"]),
        deposit_key=_deposit_key(fields[_DEPOSIT_KEY]) if _DEPOSIT_KEY in fields else None,
        face=FaceDemand.from_json(fields[_FACE]) if _FACE in fields else None,
    )


def offers_for(transaction_data: tuple[str, ...], query_id: str) -> tuple[str, ...]:
    """Return the elements that are about one credential query, exactly as received.

    Raises:
        RequestError: One of them is no grant offer.
    """
    return tuple(text for text in transaction_data if parse_grant_offer(text).query_id == query_id)


def check_offer(offer: GrantOffer, *, query: CredentialQuery, client_id: str) -> None:
    """Check that an offer and the query around it speak of the same verifier and attributes.

    Raises:
        RequestError: The holder would be shown other terms than the query takes.
    """
    if not query.holder_binding:
        raise RequestError(
            "transaction_data: a grant needs a credential that is bound to its holder"
        )
    if offer.verifier != client_id:
        raise RequestError("transaction_data.verifier: another verifier than the one that asks")
    if set(offer.attributes) != {claim.path for claim in query.claims}:
        raise RequestError("transaction_data.attributes: others than those that dcql_query takes")


def _attributes(value: JsonValue) -> tuple[ClaimPath, ...]:
    if not isinstance(value, list) or len(value) > MAX_ATTRIBUTES:
        raise RequestError(
            f"transaction_data.attributes: a list of at most {MAX_ATTRIBUTES} paths is expected"
        )
    paths: list[ClaimPath] = []
    for item in value:
        if not isinstance(item, list) or not 1 <= len(item) <= 16:
            raise RequestError("transaction_data.attributes: a path is a list of 1 to 16 elements")
        paths.append(tuple(_path_element(element) for element in item))
    if tuple(paths) != sort_paths(set(paths)):
        raise RequestError("transaction_data.attributes: sorted paths are expected, each once")
    return tuple(paths)


def _deposit_key(value: JsonValue) -> bytes:
    try:
        key = decode_base64url(value) if isinstance(value, str) else b""
    except DecodeError:
        key = b""
    if len(key) != KEY_BYTES:
        raise RequestError(
            f"transaction_data.{_DEPOSIT_KEY}: {KEY_BYTES} bytes in base64url are expected"
        )
    return key


def _purpose_term(value: JsonValue) -> PurposeTerm:
    try:
        return parse_identifier(value)
    except UnknownPurposeError as error:
        raise RequestError(f"transaction_data.purpose_term: {error}") from None


def _path_element(value: JsonValue) -> str | int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    return _text(value, "attributes", 256)


def _text(value: JsonValue, name: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or not is_plain_text(value):
        raise RequestError(
            f"transaction_data.{name}: a text of 1 to {most} printable characters is expected"
        )
    return value


def _whole(value: JsonValue, name: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise RequestError(f"transaction_data.{name}: a whole number from 1 to {most} is expected")
    return value
