"""Access tokens: to whom they are given, and the offer that each stands for."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from client_sdk.credentials.resident import ResidentAttributes
from node.issuer.attributes import decode_attributes
from node.issuer.one_time_secret import hash_secret, new_secret, seal, unseal
from node.issuer.tables import StoredOffer

TOKEN_SECONDS: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What a code was redeemed for.

    Attributes:
        token: The token.
        lifetime_s: How long it lasts, in seconds.
        is_bound: Whether it is good only with a proof of the wallet's key (RFC 9449).
        identifier: The `credential_identifier` that requests name; None where they name the
            configuration.
        review_code: What the counter approves by; None where the wallet need not know it.
        refresh_token: What the wallet asks again by; None for nothing, or where it stays the same.
        offer_until_ms: When the offer would have expired; milliseconds since 1970, UTC.
    """

    token: str = field(repr=False)
    lifetime_s: int
    offer_until_ms: int = 0
    is_bound: bool = False
    identifier: str | None = None
    review_code: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedCard:
    """A card's proof, as a token request holds it.

    Attributes:
        proof: JSON.
        nonce: The issuer's nonce that the card signed.
    """

    proof: str = field(repr=False)
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTerms:
    """To whom a token is given, and how it names the credential.

    Attributes:
        client_id: The wallet; None where it names itself by nothing.
        dpop_jkt: The key that the token is bound to; None for none.
        instance_jkt: The key that the wallet's provider attests; None for none.
        named: The credential configuration that requests are to name by `credential_identifier`;
            None where they name it by itself.
        card: A card's proof; None where none came.
        is_refreshable: Whether a refresh token is given too, where this issuer gives any.
    """

    client_id: str | None = None
    dpop_jkt: str | None = None
    instance_jkt: str | None = None
    named: str | None = None
    card: PresentedCard | None = None
    is_refreshable: bool = False


def redeemed_offer(
    plain: bytes,
    token: str,
    terms: TokenTerms,
    *,
    reference: str | None,
    identifier: str | None,
    expires_at_ms: int,
    grant_id: str | None = None,
) -> StoredOffer:
    """Return what an access token stands for that no offer of the counter led to.

    Args:
        plain: The attributes.
        token: The token.
        terms: To whom it is given.
        reference: The operator's own case number; None for none.
        identifier: The `credential_identifier` that requests name; None for none.
        expires_at_ms: When the token expires; milliseconds since 1970, UTC.
        grant_id: What it shares with a refresh token; None for none.
    """
    return StoredOffer(
        offer_hash=hash_secret(new_secret()),
        code_hash=hash_secret(new_secret()),
        tx_code_hash=hash_secret(new_secret()),
        tries_left=0,
        token_hash=hash_secret(token),
        attributes=seal(plain, token),
        reference=reference,
        expires_at_ms=expires_at_ms,
        dpop_jkt=terms.dpop_jkt,
        client_id=terms.client_id,
        identifier=identifier,
        grant_id=grant_id,
    )


def new_identifier(named: str | None) -> str | None:
    """Return a `credential_identifier` of a configuration (OpenID4VCI 1.0 section 6.2)."""
    return named and f"{named}:{secrets.token_hex(8)}"


def attributes_of(offer: StoredOffer, token: str) -> ResidentAttributes:
    """Return the attributes that an offer holds sealed under its token.

    Raises:
        StorageError: The row is damaged.
    """
    return decode_attributes(unseal(offer.attributes, token))
