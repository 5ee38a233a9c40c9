"""The issuer's tables: codes and tokens as hashes, what is said of a person only sealed."""

from pathlib import Path
from typing import Final, Literal

from sqlalchemy import BigInteger, Index, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from node.database import Schema
from node.web.shared_counts import define_counts

BatchState = Literal["signing", "sealed", "anchored"]
ReviewState = Literal["waiting", "approved", "refused"]
NotificationEvent = Literal["credential_accepted", "credential_failure", "credential_deleted"]


class Base(DeclarativeBase):
    """The root of the tables."""


class StoredOffer(Base):
    """An offer from the counter to the wallet's last word; the row goes when it is over or expired.

    Attributes:
        offer_hash: The hash of the offer's secret id.
        code_hash: The hash of its pre-authorized code.
        tx_code_hash: The hash of the transaction code, keyed by the code.
        tries_left: How often the transaction code may still be tried.
        token_hash: The hash of the access token; None until the code was redeemed.
        attributes: What is attested, sealed under the code, then under the token; empty once it is
            issued.
        reference: The operator's own case number; None for none.
        expires_at_ms: When code or token expires.
        leased_until_ms: While a request issues the credential: until when no other may.
        needs_card: Whether the attributes have yet to come from a My Number card.
        dpop_jkt: The thumbprint of the key that the token is bound to (RFC 9449); None for none.
        client_id: Who got the token; None for a wallet that named itself by nothing.
        identifier: The `credential_identifier` that requests must name; None where they name the
            configuration.
        review_hash: The hash of the review's code; None where nobody reviews.
        review: What the review has come to; None where nobody reviews.
        review_attributes: What is attested, sealed under the review's code.
        transaction_hash: The hash of the deferred issuance's id; None until it is deferred.
        requested: The holder's keys of a deferred request, sealed under the token.
        prepared_record: The id of the credential that was made beforehand, and stands sealed in the
            place of the attributes; None where it is made when the wallet asks.
        issued: The answer that was given, sealed under the token, so that it can be given again.
        grant_id: What it shares with the refresh token that came with its token; None for none.
    """

    __tablename__ = "offer"

    offer_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    tx_code_hash: Mapped[str] = mapped_column(String(64))
    tries_left: Mapped[int]
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    attributes: Mapped[bytes] = mapped_column(LargeBinary)
    reference: Mapped[str | None] = mapped_column(String(64))
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    leased_until_ms: Mapped[int | None] = mapped_column(BigInteger)
    needs_card: Mapped[bool] = mapped_column(default=False)
    dpop_jkt: Mapped[str | None] = mapped_column(String(43))
    client_id: Mapped[str | None] = mapped_column(String(256))
    identifier: Mapped[str | None] = mapped_column(String(64))
    review_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    review: Mapped[str | None] = mapped_column(String(16))
    review_attributes: Mapped[bytes | None] = mapped_column(LargeBinary)
    transaction_hash: Mapped[str | None] = mapped_column(String(64))
    requested: Mapped[bytes | None] = mapped_column(LargeBinary)
    issued: Mapped[bytes | None] = mapped_column(LargeBinary)
    prepared_record: Mapped[str | None] = mapped_column(String(32))
    grant_id: Mapped[str | None] = mapped_column(String(32), index=True)

    def __repr__(self) -> str:
        return f"StoredOffer(expires_at_ms={self.expires_at_ms})"


class StoredOfferKey(Base):
    """Another secret that leads to an offer: its `issuer_state`, or a code for a person to type.

    Attributes:
        key_hash: The hash of that secret.
        code: The offer's pre-authorized code, sealed under the secret.
        needs_tx_code: Whether the transaction code is asked for in addition.
        expires_at_ms: Milliseconds since 1970, UTC.
    """

    __tablename__ = "offer_key"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    code: Mapped[bytes] = mapped_column(LargeBinary)
    needs_tx_code: Mapped[bool]
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class StoredRefreshToken(Base):
    """A refresh token, and what can be asked for by it.

    Attributes:
        token_hash: The hash of the token.
        grant_id: What all tokens of one authorization share, 32 hex digits.
        attributes: What is attested, sealed under the token; empty once it was used.
        reference: The operator's own case number; None for none.
        identifier: The `credential_identifier` that it is good for; None for every configuration.
        dpop_jkt: The thumbprint of the key that it is bound to (RFC 9449); None for none.
        instance_jkt: The thumbprint of the key that the wallet's provider attested; None for none.
        client_id: Whose it is; None for a wallet that named itself by nothing.
        expires_at_ms: Milliseconds since 1970, UTC.
        is_used: Whether another token has taken its place.
    """

    __tablename__ = "refresh_token"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    grant_id: Mapped[str] = mapped_column(String(32), index=True)
    attributes: Mapped[bytes] = mapped_column(LargeBinary)
    reference: Mapped[str | None] = mapped_column(String(64))
    identifier: Mapped[str | None] = mapped_column(String(64))
    dpop_jkt: Mapped[str | None] = mapped_column(String(43))
    instance_jkt: Mapped[str | None] = mapped_column(String(43))
    client_id: Mapped[str | None] = mapped_column(String(256))
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    is_used: Mapped[bool]


class StoredAuthorization(Base):
    """An authorization request, from the wallet's push to its token.

    Attributes:
        request_hash: The hash of its `request_uri`.
        parameters: The request, sealed under the `request_uri`, then under the code.
        code_hash: The hash of the authorization code; None until the holder approved.
        token_hash: The hash of the token that the code was redeemed for; None until then.
        expires_at_ms: When the request, then the code, expires.
        forgotten_at_ms: Until when a second use of the code is recognized.
    """

    __tablename__ = "authorization"

    request_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    parameters: Mapped[bytes] = mapped_column(LargeBinary)
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    token_hash: Mapped[str | None] = mapped_column(String(64))
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)
    forgotten_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class SpentNonce(Base):
    """A nonce that a proof has used, until it expires by itself."""

    __tablename__ = "spent_nonce"

    nonce_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class StoredCredential(Base):
    """A credential that was issued: where its record is, and nothing of what it says.

    Attributes:
        number: Ascending by issuance.
        record_id: The id of its record on the ledger.
        reference: The operator's own case number; None for none.
        state: As this service last wrote it to the ledger.
        list_id: The id of the status list in which it stands; None for none.
        list_index: Its place in that list.
        batch_id: The id of the batch that it is anchored in; None where it has its own record.
        leaf: The hash of its leaf, where it was made beforehand.
        position: The leaf's place in the batch, from 0, once that is known.
        issued_at_ms: Milliseconds since 1970, UTC.
        expires_at_ms: Milliseconds since 1970, UTC.
        notification_hash: The hash of the `notification_id` that it was handed out with.
        event: What the wallet said has become of it; None until it said something.
        grant_id: What it shares with the refresh token of its grant; None for none.
    """

    __tablename__ = "credential"
    __table_args__ = (
        Index("credential_leaf", "batch_id", "leaf"),
        Index("credential_position", "batch_id", "position"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    record_id: Mapped[str] = mapped_column(String(32), unique=True)
    reference: Mapped[str | None] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(16))
    list_id: Mapped[str | None] = mapped_column(String(32))
    list_index: Mapped[int | None]
    batch_id: Mapped[str | None] = mapped_column(String(32))
    leaf: Mapped[bytes | None] = mapped_column(LargeBinary)
    position: Mapped[int | None]
    issued_at_ms: Mapped[int] = mapped_column(BigInteger)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)
    notification_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    event: Mapped[str | None] = mapped_column(String(32))
    grant_id: Mapped[str | None] = mapped_column(String(32), index=True)


class StoredEnrolment(Base):
    """A code that is good for one account.

    Attributes:
        code_hash: The hash of the code.
        tries_left: How often it may still come with a wrong proof.
        expires_at_ms: Milliseconds since 1970, UTC.
        account_id: The account that it was used for; None until then.
    """

    __tablename__ = "enrolment"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    tries_left: Mapped[int]
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    account_id: Mapped[str | None] = mapped_column(String(320))

    def __repr__(self) -> str:
        return f"StoredEnrolment(expires_at_ms={self.expires_at_ms})"


class StoredRenewal(Base):
    """A credential that is being, or was, issued anew to another key of its account.

    Attributes:
        record_id: The record of the credential that is replaced.
        account_id: The holder's account, which both credentials name; empty once the replaced one
            is revoked by hand: then it is owed to nobody.
        token_hash: The hash of the access token that was given last.
        expires_at_ms: When the replaced credential expires, and so the new one.
        replaced_by: The record of the new credential; None until it was issued.
    """

    __tablename__ = "renewal"

    record_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[str] = mapped_column(String(320))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)
    replaced_by: Mapped[str | None] = mapped_column(String(32))


class StoredKey(Base):
    """A key that all instances of the service share.

    Attributes:
        name: What it is for.
        jwk: The private JWK, sealed.
    """

    __tablename__ = "service_key"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    jwk: Mapped[bytes] = mapped_column(LargeBinary)


class StoredStatusList(Base):
    """A list of statuses, and which of its places are used.

    Attributes:
        list_id: The id of its record on the ledger.
        size: How many places it has.
        places: All places once, in random order, four bytes each: they are given out in this order.
        used: How many were given out.
        statuses: The packed statuses, two bits each.
        version: Grows with every change.
        anchored_version: The last version that is known to be on the ledger; 0 for none.
    """

    __tablename__ = "status_list"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    list_id: Mapped[str] = mapped_column(String(32), unique=True)
    size: Mapped[int]
    places: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    used: Mapped[int]
    statuses: Mapped[bytes] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(BigInteger)
    anchored_version: Mapped[int] = mapped_column(BigInteger)


class StoredBatch(Base):
    """A batch of credentials that are made beforehand, and how far it is.

    Attributes:
        batch_id: The id of its record on the ledger.
        run: What tells this run from others: a hash of its source and of its letters' place.
        state: `signing` while credentials are made, `sealed` once the root is known.
        list_id: The status list in which all of them stand.
        first_place: The first of the places that are reserved for it.
        count: How many credentials it will have.
        done: How many are made.
        last_reference: The reference of the last one that is made; empty before the first.
        letters_bytes: How long the file of letters is with that one.
        part_roots: The roots of its parts, 32 bytes each; empty until it is sealed.
        expires_at_ms: When its credentials expire; milliseconds since 1970, UTC.
    """

    __tablename__ = "batch"

    batch_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    run: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    list_id: Mapped[str] = mapped_column(String(32))
    first_place: Mapped[int]
    count: Mapped[int]
    done: Mapped[int]
    last_reference: Mapped[str] = mapped_column(String(64))
    letters_bytes: Mapped[int] = mapped_column(BigInteger)
    part_roots: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger)


RATE_COUNT: Final = define_counts(Base.metadata)
SCHEMA: Final = Schema(
    service="issuer",
    tables=Base.metadata,
    revision="0003",
    revisions=Path(__file__).with_name("revisions"),
)
