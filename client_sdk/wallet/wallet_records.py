"""What a wallet keeps: its account, credentials and grants, in the form they have in its vault."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final, Self

from nacl.utils import random as random_bytes

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.errors import CredentialFormatError, OfferError, RequestError, VaultFormatError
from client_sdk.escrow.protection import Protection
from client_sdk.formats import ReadCredential, find_format
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.json_fields import JsonFields
from client_sdk.ledger.account_key import SEED_BYTES
from client_sdk.ledger.batches import Inclusion
from client_sdk.ledger.grants import ClaimPath, GrantTerms
from client_sdk.wallet.issuance_records import StoredIssuance
from client_sdk.wallet.refresh_records import StoredRefresh

RECEIPT_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAccount:
    """The wallet's account on a ledger.

    Attributes:
        account_id: The holder's account.
        ledger_id: The hash of the ledger's genesis block, 64 hex digits.
        torii: `host:port` of the node that the wallet uses.
        registered_by: The account of the issuer that made it: whose credentials the wallet takes.
        issuer_url: Where that issuer's service is, as its credentials name it (`iss`).
    """

    account_id: str
    ledger_id: str
    torii: str
    registered_by: str
    issuer_url: str

    def to_fields(self) -> JsonObject:
        """Return the account as a JSON object."""
        return {
            "account_id": self.account_id,
            "ledger_id": self.ledger_id,
            "torii": self.torii,
            "registered_by": self.registered_by,
            "issuer_url": self.issuer_url,
        }

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self:
        """Return the account that a JSON object stands for."""
        fields = _object(value)
        return cls(
            account_id=_text(fields, "account_id"),
            ledger_id=_text(fields, "ledger_id"),
            torii=_text(fields, "torii"),
            registered_by=_text(fields, "registered_by"),
            issuer_url=_text(fields, "issuer_url"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """A credential in the wallet.

    Attributes:
        record_id: Its id on the ledger, 32 hex digits.
        credential_type: Its `vct`, or its type beside `VerifiableCredential`.
        issuer: The issuer's account.
        expires_at_ms: Milliseconds since 1970, UTC.
        inclusion: Where in which batch it is anchored; None where it is anchored alone.
        format: The identifier of its format.
        is_used: Of a one-time credential: that it was shown, and is not shown again.
        issuer_url: The identifier of the issuer's service; empty where that was not kept.
        text: The credential, with all disclosures that it may have.
        seed: Of a one-time credential: the 32 secret bytes of its own key; None for one that is
            bound to the account's key.
    """

    record_id: str
    credential_type: str
    issuer: str
    expires_at_ms: int
    inclusion: Inclusion | None = None
    format: str = DcSdJwt.identifier
    is_used: bool = False
    issuer_url: str = ""
    text: str = field(repr=False)
    seed: bytes | None = field(default=None, repr=False)

    @property
    def is_one_time(self) -> bool:
        """Whether it has a key of its own, and is shown once."""
        return self.seed is not None

    def read(self) -> ReadCredential:
        """Return what it says.

        Raises:
            CredentialFormatError: It is not of its format.
            DisclosureError: A disclosure does not belong to it.
        """
        return find_format(self.format).read(self.text)

    def to_fields(self) -> JsonObject:
        """Return the credential as a JSON object."""
        fields: JsonObject = {
            "record_id": self.record_id,
            "credential_type": self.credential_type,
            "issuer": self.issuer,
            "expires_at_ms": self.expires_at_ms,
            "format": self.format,
            "issuer_url": self.issuer_url,
            "text": self.text,
        }
        if self.inclusion is not None:
            fields["inclusion"] = self.inclusion.to_json()
        if self.seed is not None:
            fields["seed"] = encode_base64url(self.seed)
            fields["is_used"] = self.is_used
        return fields

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self:
        """Return the credential that a JSON object stands for."""
        fields = _object(value)
        is_one_time = "seed" in fields
        return cls(
            record_id=_text(fields, "record_id"),
            credential_type=_text(fields, "credential_type"),
            issuer=_text(fields, "issuer"),
            expires_at_ms=_whole(fields, "expires_at_ms"),
            inclusion=_inclusion(fields["inclusion"]) if "inclusion" in fields else None,
            format=_text(fields, "format"),
            is_used=_flag(fields, "is_used") if is_one_time else False,
            issuer_url=_text(fields, "issuer_url"),
            text=_text(fields, "text"),
            seed=_secret(fields, "seed", SEED_BYTES) if is_one_time else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGrant:
    """A grant that the wallet made.

    Attributes:
        grant_id: Its id on the ledger, 32 hex digits.
        verifier_name: Who was allowed, as the holder was shown.
        terms: What was granted.
        gateway: The account of the gateway that serves it.
        granted_at_ms: Milliseconds since 1970, UTC.
        expires_at_ms: Milliseconds since 1970, UTC.
        uses: How often it may be used.
        opening: The salt of its commitment.
        consent: The holder's signed record of the consent, a JWT.
        request_object: What the verifier asked, as it signed it: its half of the consent.
    """

    grant_id: str
    verifier_name: str
    terms: GrantTerms
    gateway: str
    granted_at_ms: int
    expires_at_ms: int
    uses: int
    opening: str = field(repr=False)
    consent: str = field(repr=False)
    request_object: str = field(repr=False)

    def to_fields(self) -> JsonObject:
        """Return the grant as a JSON object."""
        return {
            "grant_id": self.grant_id,
            "verifier_name": self.verifier_name,
            "verifier": self.terms.verifier,
            "credential": self.terms.credential,
            "attributes": [list(path) for path in self.terms.attributes],
            "purpose": self.terms.purpose,
            "purpose_term": self.terms.purpose_term,
            "gateway": self.gateway,
            "granted_at_ms": self.granted_at_ms,
            "expires_at_ms": self.expires_at_ms,
            "uses": self.uses,
            "opening": self.opening,
            "consent": self.consent,
            "request_object": self.request_object,
        }

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self:
        """Return the grant that a JSON object stands for."""
        fields = _object(value)
        terms = GrantTerms(
            verifier=_text(fields, "verifier"),
            credential=_text(fields, "credential"),
            attributes=_strict(fields).paths("attributes"),
            purpose=_text(fields, "purpose"),
            purpose_term=_text(fields, "purpose_term"),
        )
        return cls(
            grant_id=_text(fields, "grant_id"),
            verifier_name=_text(fields, "verifier_name"),
            terms=terms,
            gateway=_text(fields, "gateway"),
            granted_at_ms=_whole(fields, "granted_at_ms"),
            expires_at_ms=_whole(fields, "expires_at_ms"),
            uses=_whole(fields, "uses"),
            opening=_text(fields, "opening"),
            consent=_text(fields, "consent"),
            request_object=_text(fields, "request_object"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPresentation:
    """Something that the wallet showed.

    Attributes:
        verifier: The verifier's client identifier.
        verifier_name: Who asked, as the holder was shown.
        attributes: The claims that were asked for.
        purpose: What for; None where the verifier said nothing.
        grant: The grant that it was shown under; None where none was asked for.
        sent_at_ms: Milliseconds since 1970, UTC.
        shown: What it is known by in receipts, 32 bytes.
        is_taken: Whether the verifier took it, as far as the wallet heard.
        is_deposit: Whether it was left at the gateway, sealed: receipts tell when it is seen.
    """

    verifier: str
    verifier_name: str
    attributes: tuple[ClaimPath, ...]
    purpose: str | None
    grant: str | None
    sent_at_ms: int
    shown: bytes
    is_taken: bool
    is_deposit: bool

    def to_fields(self) -> JsonObject:
        """Return the presentation as a JSON object."""
        return {
            "verifier": self.verifier,
            "verifier_name": self.verifier_name,
            "attributes": [list(path) for path in self.attributes],
            "purpose": self.purpose,
            "grant": self.grant,
            "sent_at_ms": self.sent_at_ms,
            "shown": encode_base64url(self.shown),
            "is_taken": self.is_taken,
            "is_deposit": self.is_deposit,
        }

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self:
        """Return the presentation that a JSON object stands for."""
        fields = _strict(value)
        return cls(
            verifier=fields.text("verifier"),
            verifier_name=fields.text("verifier_name"),
            attributes=fields.paths("attributes"),
            purpose=fields.optional_text("purpose"),
            grant=fields.optional_text("grant"),
            sent_at_ms=fields.whole("sent_at_ms"),
            shown=fields.data("shown"),
            is_taken=fields.flag("is_taken"),
            is_deposit=fields.flag("is_deposit"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletContents:
    """All that a wallet keeps.

    Attributes:
        seed: The 32 secret bytes of the account's key.
        receipt_secret: 32 secret bytes that the keys of receipts follow from. Unlike the account's
            key it is backed up, so that a new phone reads the old one's history.
        trust_anchors: Certificates of the authorities that vouch for verifiers, as PEM text.
        account: The account on the ledger; None until the wallet is registered.
        credentials: By their record id.
        grants: By their id, oldest first.
        protection: How it is protected against loss; None where it is not.
        presentations: What was shown, oldest first.
        receipt_writers: The accounts of the gateways that may write receipts.
        parts: By verifier, what it alone meets: an account, a key and credentials of their own.
        checkpoint: The newest signed checkpoint of the ledger that was seen; empty for none.
        light_block: The newest signed header of a replicated ledger that was verified, as JSON;
            empty for none.
        issuances: Offers that were accepted, until their credentials are here; by their id.
        face_tests: Attestations of recent face tests, by the verifier that they are for.
        refreshes: What more credentials are had by, without a new offer; by their id.
    """

    seed: bytes = field(repr=False)
    trust_anchors: str
    receipt_secret: bytes = field(
        default_factory=lambda: random_bytes(RECEIPT_SECRET_BYTES), repr=False
    )
    account: LedgerAccount | None = None
    credentials: dict[str, StoredCredential] = field(default_factory=dict)
    grants: dict[str, StoredGrant] = field(default_factory=dict)
    protection: Protection | None = None
    presentations: tuple[StoredPresentation, ...] = ()
    receipt_writers: tuple[str, ...] = ()
    parts: "dict[str, WalletContents]" = field(default_factory=dict)
    checkpoint: str = field(default="", repr=False)
    light_block: str = field(default="", repr=False)
    issuances: dict[str, StoredIssuance] = field(default_factory=dict)
    face_tests: dict[str, str] = field(default_factory=dict, repr=False)
    refreshes: dict[str, StoredRefresh] = field(default_factory=dict)

    def with_issuance(self, issuance: StoredIssuance) -> Self:
        """Return the contents with one accepted offer more, or changed."""
        return replace(self, issuances={**self.issuances, issuance.issuance_id: issuance})

    def without_issuance(self, issuance_id: str) -> Self:
        """Return the contents with one accepted offer less."""
        kept = {key: value for key, value in self.issuances.items() if key != issuance_id}
        return replace(self, issuances=kept)

    def with_refresh(self, refresh: StoredRefresh) -> Self:
        """Return the contents with one refresh token more, or changed."""
        return replace(self, refreshes={**self.refreshes, refresh.refresh_id: refresh})

    def without_refresh(self, refresh_id: str) -> Self:
        """Return the contents with one refresh token less."""
        kept = {key: value for key, value in self.refreshes.items() if key != refresh_id}
        return replace(self, refreshes=kept)

    def with_credential(self, credential: StoredCredential) -> Self:
        """Return the contents with one credential more.

        Raises:
            OfferError: One of this record id is held already: none replaces another.
        """
        if credential.record_id in self.credentials:
            raise OfferError(
                f"the wallet holds a credential of the record {credential.record_id} already; it "
                "keeps that one"
            )
        credentials = {**self.credentials, credential.record_id: credential}
        return replace(self, credentials=credentials)

    def with_replacement(self, credential: StoredCredential, *, replaced: str) -> Self:
        """Return the contents with one credential in the place of another, which is revoked."""
        credentials = {key: kept for key, kept in self.credentials.items() if key != replaced}
        return replace(self, credentials={**credentials, credential.record_id: credential})

    def with_grant(self, grant: StoredGrant) -> Self:
        """Return the contents with one grant more."""
        return replace(self, grants={**self.grants, grant.grant_id: grant})

    def without_grant(self, grant_id: str) -> Self:
        """Return the contents with one grant less."""
        grants = {key: grant for key, grant in self.grants.items() if key != grant_id}
        return replace(self, grants=grants)

    def with_used(self, record_ids: Collection[str]) -> Self:
        """Return the contents with one-time credentials marked as used; others stay as they are.

        Raises:
            RequestError: One of them was shown before.
        """
        if any(self.credentials[key].is_used for key in record_ids if key in self.credentials):
            raise RequestError(
                "a one-time credential of the answer was shown meanwhile; read the request again"
            )
        credentials = {
            key: replace(kept, is_used=True) if key in record_ids and kept.is_one_time else kept
            for key, kept in self.credentials.items()
        }
        return replace(self, credentials=credentials)

    def with_presentations(self, shown: tuple[StoredPresentation, ...]) -> Self:
        """Return the contents with the presentations of one more answer."""
        return replace(self, presentations=(*self.presentations, *shown))

    def with_taken(self, shown: tuple[StoredPresentation, ...]) -> Self:
        """Return the contents with an answer's presentations marked as taken by its verifier."""
        return replace(
            self,
            presentations=tuple(
                replace(known, is_taken=True) if known in shown else known
                for known in self.presentations
            ),
        )

    def with_face_test(self, verifier: str, attestation: str) -> Self:
        """Return the contents with the attestation of a recent face test for a verifier."""
        return replace(self, face_tests={**self.face_tests, verifier: attestation})

    def with_part(self, verifier: str, part: "WalletContents") -> Self:
        """Return the contents with this part for a verifier."""
        return replace(self, parts={**self.parts, verifier: part})

    def to_fields(self) -> JsonObject:
        """Return the contents as a JSON object."""
        return {
            "seed": encode_base64url(self.seed),
            "receipt_secret": encode_base64url(self.receipt_secret),
            "trust_anchors": self.trust_anchors,
            "account": None if self.account is None else self.account.to_fields(),
            "credentials": [credential.to_fields() for credential in self.credentials.values()],
            "grants": [grant.to_fields() for grant in self.grants.values()],
            "protection": None if self.protection is None else self.protection.to_fields(),
            "presentations": [shown.to_fields() for shown in self.presentations],
            "receipt_writers": list(self.receipt_writers),
            "parts": {verifier: part.to_fields() for verifier, part in self.parts.items()},
            "checkpoint": self.checkpoint,
            "light_block": self.light_block,
            "issuances": [issuance.to_fields() for issuance in self.issuances.values()],
            "face_tests": {**self.face_tests},
            "refreshes": [refresh.to_fields() for refresh in self.refreshes.values()],
        }

    def to_backup(self) -> JsonObject:
        """Return what a backup holds: no key, since a new phone gets a new one.

        The keys of parts are in it: no escrow account stands behind those accounts. One-time
        credentials are not, which are nothing without their keys, nor tokens, which are for the key
        of this phone.
        """
        fields = self.without_passing().to_fields()
        left_out = ("seed", "protection", "issuances", "refreshes")
        return {name: fields[name] for name in fields if name not in left_out}

    def without_passing(self) -> Self:
        """Return what outlives this phone: no one-time credentials, tokens or face tests."""
        kept = {key: one for key, one in self.credentials.items() if not one.is_one_time}
        parts = {verifier: part.without_passing() for verifier, part in self.parts.items()}
        return replace(
            self, credentials=kept, parts=parts, issuances={}, face_tests={}, refreshes={}
        )

    @classmethod
    def from_backup(cls, value: JsonObject, *, seed: bytes, protection: Protection) -> Self:
        """Return the contents of a wallet that comes back with a new key.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        left_out: JsonObject = {
            "issuances": [],
            "refreshes": [],
            "seed": encode_base64url(seed),
        }
        contents = cls.from_fields({**value, **left_out})
        return replace(contents, protection=protection)

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self:
        """Return the contents that a JSON object stands for.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        fields = _object(value)
        parts, face_tests = _object(fields.get("parts")), _object(fields.get("face_tests"))
        account, protection = fields.get("account"), fields.get("protection")
        credentials = [StoredCredential.from_fields(c) for c in _list(fields, "credentials")]
        grants = [StoredGrant.from_fields(grant) for grant in _list(fields, "grants")]
        issuances = [StoredIssuance.from_fields(kept) for kept in _list(fields, "issuances")]
        refreshes = [StoredRefresh.from_fields(kept) for kept in _list(fields, "refreshes")]
        return cls(
            seed=_secret(fields, "seed", SEED_BYTES),
            receipt_secret=_secret(fields, "receipt_secret", RECEIPT_SECRET_BYTES),
            trust_anchors=_text(fields, "trust_anchors"),
            account=None if account is None else LedgerAccount.from_fields(account),
            credentials={credential.record_id: credential for credential in credentials},
            grants={grant.grant_id: grant for grant in grants},
            protection=None if protection is None else Protection.from_fields(protection),
            presentations=tuple(
                StoredPresentation.from_fields(shown) for shown in _list(fields, "presentations")
            ),
            receipt_writers=_strict(fields).texts("receipt_writers"),
            parts={verifier: cls.from_fields(part) for verifier, part in parts.items()},
            checkpoint=_text(fields, "checkpoint"),
            light_block=_text(fields, "light_block"),
            issuances={issuance.issuance_id: issuance for issuance in issuances},
            face_tests={verifier: _text(face_tests, verifier) for verifier in face_tests},
            refreshes={refresh.refresh_id: refresh for refresh in refreshes},
        )


def _strict(value: JsonValue) -> JsonFields:
    return JsonFields(value, what="the wallet's contents", error=VaultFormatError)


def _object(value: JsonValue) -> JsonObject:
    if not isinstance(value, dict):
        raise VaultFormatError("the wallet's contents: an object is expected")
    return value


def _text(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise VaultFormatError(f"the wallet's contents: {name} is missing or no text")
    return value


def _secret(fields: JsonObject, name: str, length: int) -> bytes:
    try:
        secret = decode_base64url(_text(fields, name))
    except DecodeError:
        raise VaultFormatError(f"the wallet's contents: {name} is not base64url") from None
    if len(secret) != length:
        raise VaultFormatError(f"the wallet's contents: {name} is not {length} bytes long")
    return secret


def _whole(fields: JsonObject, name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise VaultFormatError(f"the wallet's contents: {name} is missing or no whole number")
    return value


def _flag(fields: JsonObject, name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise VaultFormatError(f"the wallet's contents: {name} is missing or no boolean")
    return value


def _inclusion(value: JsonValue) -> Inclusion:
    try:
        return Inclusion.from_json(value)
    except CredentialFormatError as error:
        raise VaultFormatError(f"the wallet's contents: {error}") from None


def _list(fields: JsonObject, name: str) -> list[JsonValue]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise VaultFormatError(f"the wallet's contents: {name} is missing or no list")
    return value
