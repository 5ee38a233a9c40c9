"""Offers: from the operator's counter to a wallet's access token."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final, cast

from chaincode.encoding import JsonObject
from client_sdk.credentials.resident import ResidentAttributes, Sex, age_on
from client_sdk.errors import CredentialFormatError
from client_sdk.openid4vci.credential_offer import (
    CredentialOffer,
    OfferReference,
    TransactionCode,
    build_offer_link,
)
from client_sdk.strict_json import encode_json, parse_strict_json_object
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import (
    code_of_offer,
    hash_secret,
    hash_transaction_code,
    new_enrolment_code,
    new_secret,
    new_transaction_code,
    seal,
    unseal,
)
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredOffer

CONFIGURATION_ID: Final = "resident"
TRANSACTION_CODE_TRIES: Final = 5
TOKEN_SECONDS: Final = 600
REVIEW_SECONDS: Final = 30 * 86_400
"""How long a token is good where a review has to approve first."""
_TX_CODE: Final = TransactionCode(
    input_mode="numeric", length=6, description="The six digits that the counter gave you"
)
_JAPAN: Final = timezone(timedelta(hours=9), "JST")
_REFUSED: Final = "the code or the transaction code is wrong, used, locked or expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOffer:
    """An offer for one resident; nothing of it can be read again.

    Attributes:
        id: The secret part of the offer's address.
        link: What opens the wallet: for a QR code.
        tx_code: Six digits that the person is told separately.
        expires_at_ms: Milliseconds since 1970, UTC.
        review_code: What the offer is reviewed by; None where nobody reviews it.
    """

    id: str = field(repr=False)
    link: str = field(repr=False)
    tx_code: str = field(repr=False)
    expires_at_ms: int
    review_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What a code was redeemed for.

    Attributes:
        token: The bearer token.
        lifetime_s: How long it lasts, in seconds.
    """

    token: str = field(repr=False)
    lifetime_s: int


class Offers:
    """The offers of one issuer."""

    def __init__(
        self,
        store: IssuerStore,
        *,
        public_url: str,
        offer_seconds: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the offers' desk.

        Args:
            store: Where offers are kept.
            public_url: The issuer's identifier.
            offer_seconds: How long an offer waits for its wallet.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._public_url = public_url
        self._offer_seconds = offer_seconds
        self._now_ms = now_ms

    def create(
        self,
        attributes: ResidentAttributes,
        *,
        reference: str | None = None,
        is_reviewed: bool = False,
    ) -> NewOffer:
        """Make an offer of a resident credential.

        Args:
            attributes: What is attested.
            reference: The operator's own case number; not personal data.
            is_reviewed: Whether the credential waits until a review approves it.

        Raises:
            CredentialFormatError: The birth date cannot be one, as of today.
        """
        age_on(attributes.birth_date, day_in_japan(self._now_ms()))
        offer_id, tx_code = new_secret(), new_transaction_code()
        code = code_of_offer(offer_id)
        review_code = new_enrolment_code() if is_reviewed else None
        expires_at_ms = self._now_ms() + self._offer_seconds * 1000
        plain = encode_attributes(attributes)
        self._store.offers.add(
            StoredOffer(
                offer_hash=hash_secret(offer_id),
                code_hash=hash_secret(code),
                tx_code_hash=hash_transaction_code(tx_code, code),
                tries_left=TRANSACTION_CODE_TRIES,
                attributes=seal(plain, code),
                reference=reference,
                expires_at_ms=expires_at_ms,
                review_hash=review_code and hash_secret(review_code),
                review=review_code and "waiting",
                review_attributes=review_code and seal(plain, review_code),
            )
        )
        link = build_offer_link(OfferReference(uri=f"{self._public_url}/offers/{offer_id}"))
        return NewOffer(
            id=offer_id,
            link=link,
            tx_code=tx_code,
            expires_at_ms=expires_at_ms,
            review_code=review_code,
        )

    def find(self, offer_id: str) -> CredentialOffer | None:
        """Return an open offer, as a wallet fetches it (OpenID4VCI 1.0 section 4.1.3)."""
        if self._store.offers.find(hash_secret(offer_id), self._now_ms()) is None:
            return None
        return CredentialOffer(
            credential_issuer=self._public_url,
            configuration_ids=(CONFIGURATION_ID,),
            pre_authorized_code=code_of_offer(offer_id),
            transaction_code=_TX_CODE,
        )

    def redeem(self, code: str, tx_code: str) -> AccessToken:
        """Exchange a pre-authorized code and its transaction code for a token, once.

        After `TRANSACTION_CODE_TRIES` wrong transaction codes the offer is gone.

        Raises:
            ProtocolError: The code or the transaction code is wrong, used, locked or expired.
        """
        code_hash, now_ms = hash_secret(code), self._now_ms()
        offer = self._store.offers.take_try(code_hash, now_ms)
        if offer is None:
            raise ProtocolError("invalid_grant", _REFUSED)
        if not hmac.compare_digest(hash_transaction_code(tx_code, code), offer.tx_code_hash):
            self._store.offers.lock(code_hash)
            raise ProtocolError("invalid_grant", _REFUSED)
        token = new_secret()
        lifetime_s = TOKEN_SECONDS if offer.review is None else REVIEW_SECONDS
        is_first = self._store.offers.redeem(
            code_hash,
            token_hash=hash_secret(token),
            attributes=seal(unseal(offer.attributes, code), token),
            expires_at_ms=now_ms + lifetime_s * 1000,
        )
        if not is_first:
            raise ProtocolError("invalid_grant", _REFUSED)
        return AccessToken(token=token, lifetime_s=lifetime_s)


def attributes_of(offer: StoredOffer, token: str) -> ResidentAttributes:
    """Return the attributes that an offer holds sealed under its token.

    Raises:
        StorageError: The row is damaged.
    """
    return decode_attributes(unseal(offer.attributes, token))


def decode_attributes(plain: bytes) -> ResidentAttributes:
    """Return what `encode_attributes` wrote."""
    fields = parse_strict_json_object(plain)
    portrait = fields["portrait"]
    return ResidentAttributes(
        name=str(fields["name"]),
        address=str(fields["address"]),
        municipality=str(fields["municipality"]),
        birth_date=date.fromisoformat(str(fields["birth_date"])),
        sex=cast(Sex, fields["sex"]),
        portrait=None if portrait is None else parse_portrait(str(portrait)),
    )


def day_in_japan(time_ms: int) -> date:
    """Return the day that it is in Japan (UTC+9, without summer time)."""
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).astimezone(_JAPAN).date()


def parse_portrait(text: str) -> bytes:
    """Return the bytes of an image in base64 (RFC 4648 section 4).

    Raises:
        CredentialFormatError: Not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CredentialFormatError("portrait: base64 is expected") from None


def encode_attributes(attributes: ResidentAttributes) -> bytes:
    """Return attributes as bytes, for sealing."""
    portrait = attributes.portrait
    fields: JsonObject = {
        "name": attributes.name,
        "address": attributes.address,
        "municipality": attributes.municipality,
        "birth_date": attributes.birth_date.isoformat(),
        "sex": attributes.sex,
        "portrait": None if portrait is None else base64.b64encode(portrait).decode("ascii"),
    }
    return encode_json(fields)
