"""All that a wallet keeps, and the changes of it, in the form that it has in the wallet's vault."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final, Self

from nacl.utils import random as random_bytes

from chaincode.encoding import JsonObject, JsonValue, encode_base64url
from client_sdk.errors import OfferError, RequestError, VaultFormatError
from client_sdk.escrow.protection import Protection
from client_sdk.ledger.account_key import SEED_BYTES
from client_sdk.strict_json import JsonFields
from client_sdk.wallet.records import (
    LedgerAccount,
    StoredCredential,
    StoredGrant,
    StoredIssuance,
    StoredPresentation,
    StoredRefresh,
)

RECEIPT_SECRET_BYTES: Final = 32


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

    @property
    def is_in_use(self) -> bool:
        """Whether there is, or ever was, something to show."""
        return bool(self.credentials or self.grants or self.presentations)

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
        return cls._read(JsonFields(value, what="the wallet's contents", error=VaultFormatError))

    @classmethod
    def _read(cls, fields: JsonFields) -> Self:
        account, protection = (
            fields.optional_member("account"),
            fields.optional_object("protection"),
        )
        credentials = map(StoredCredential.from_fields, fields.objects("credentials"))
        grants = map(StoredGrant.from_fields, fields.objects("grants"))
        issuances = map(StoredIssuance.from_fields, fields.objects("issuances"))
        refreshes = map(StoredRefresh.from_fields, fields.objects("refreshes"))
        presentations = map(StoredPresentation.from_fields, fields.objects("presentations"))
        parts, face_tests = fields.member("parts"), fields.member("face_tests")
        return cls(
            seed=fields.secret("seed", SEED_BYTES),
            receipt_secret=fields.secret("receipt_secret", RECEIPT_SECRET_BYTES),
            trust_anchors=fields.text("trust_anchors"),
            account=None if account is None else LedgerAccount.from_fields(account),
            credentials={credential.record_id: credential for credential in credentials},
            grants={grant.grant_id: grant for grant in grants},
            protection=None if protection is None else Protection.from_fields(protection),
            presentations=tuple(presentations),
            receipt_writers=fields.texts("receipt_writers"),
            parts={verifier: cls._read(parts.member(verifier)) for verifier in parts.names},
            checkpoint=fields.text("checkpoint"),
            light_block=fields.text("light_block"),
            issuances={issuance.issuance_id: issuance for issuance in issuances},
            face_tests={verifier: face_tests.text(verifier) for verifier in face_tests.names},
            refreshes={refresh.refresh_id: refresh for refresh in refreshes},
        )
