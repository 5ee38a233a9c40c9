"""Offers: from the operator's counter to a wallet's access token."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from client_sdk.credentials.resident import ResidentAttributes, age_on
from client_sdk.openid4vci.card_grant import CARD_NONCE, CARD_PROOF
from client_sdk.openid4vci.credential_offer import (
    AuthorizationCodeGrant,
    CredentialOffer,
    OfferReference,
    TransactionCode,
    build_offer_link,
)
from node.errors import ApiError
from node.issuer.access_tokens import (
    TOKEN_SECONDS,
    AccessToken,
    PresentedCard,
    TokenTerms,
    new_identifier,
)
from node.issuer.attributes import day_in_japan, encode_attributes
from node.issuer.cards import Cards
from node.issuer.configurations import CONFIGURATION_ID
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import (
    code_of_offer,
    hash_secret,
    hash_transaction_code,
    issuer_state_of_offer,
    new_enrolment_code,
    new_secret,
    new_transaction_code,
    seal,
    unseal,
)
from node.issuer.refresh_tokens import RefreshTokens
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredOffer, StoredOfferKey

TRANSACTION_CODE_TRIES: Final = 5
REVIEW_SECONDS: Final = 30 * 86_400
"""How long a token is good where a review has to approve first."""
_TX_CODE: Final = TransactionCode(
    input_mode="numeric", length=6, description="The six digits that the counter gave you"
)
_REFUSED: Final = "the code or the transaction code is wrong, used, locked or expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOffer:
    """An offer for one resident; nothing of it can be read again.

    Attributes:
        id: The secret part of the offer's address.
        link: What opens the wallet: for a QR code.
        tx_code: Six digits that the person is told separately.
        authentication_code: What the person types at the issuer's page who has no link.
        expires_at_ms: Milliseconds since 1970, UTC.
        review_code: What the offer is reviewed by; None where nobody reviews it.
    """

    id: str = field(repr=False)
    link: str = field(repr=False)
    tx_code: str = field(repr=False)
    authentication_code: str = field(repr=False)
    expires_at_ms: int
    review_code: str | None = field(default=None, repr=False)


class Offers:
    """The offers of one issuer."""

    def __init__(
        self,
        store: IssuerStore,
        *,
        public_url: str,
        offer_seconds: int,
        cards: Cards | None = None,
        configuration_ids: tuple[str, ...] = (CONFIGURATION_ID,),
        refresh_tokens: RefreshTokens | None = None,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the offers' desk.

        Args:
            store: Where offers are kept.
            public_url: The issuer's identifier.
            offer_seconds: How long an offer waits for its wallet.
            cards: Takes the proofs of cards; None where none are taken.
            configuration_ids: In which forms the credential can be had, the preferred first.
            refresh_tokens: Gives refresh tokens; None where wallets get none.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._public_url = public_url
        self._offer_seconds = offer_seconds
        self._cards = cards
        self._configuration_ids = configuration_ids
        self._refresh_tokens = refresh_tokens
        self._now_ms = now_ms

    @property
    def configuration_ids(self) -> tuple[str, ...]:
        """In which forms the credential can be had, the preferred first."""
        return self._configuration_ids

    def check(self, attributes: ResidentAttributes) -> None:
        """Refuse what cannot be attested today.

        Raises:
            CredentialFormatError: The birth date cannot be one, as of today.
        """
        age_on(attributes.birth_date, day_in_japan(self._now_ms()))

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
        self.check(attributes)
        review_code = new_enrolment_code() if is_reviewed else None
        return self._create(
            encode_attributes(attributes),
            needs_card=False,
            reference=reference,
            review_code=review_code,
        )

    def create_for_card(
        self, *, portrait: bytes | None = None, reference: str | None = None
    ) -> NewOffer:
        """Make an offer to whoever proves a My Number card: it attests what the card says.

        Args:
            portrait: From the card's face, by the counter's own reader; None for none.
            reference: The operator's own case number; not personal data.

        Raises:
            ApiError: This issuer takes no cards.
        """
        if self._cards is None:
            raise ApiError(
                409,
                "no_cards",
                "This issuer takes no cards",
                "Set [card] in issuer.toml, or give the attributes.",
            )
        return self._create(portrait or b"", needs_card=True, reference=reference, review_code=None)

    def _create(
        self, plain: bytes, *, needs_card: bool, reference: str | None, review_code: str | None
    ) -> NewOffer:
        offer_id, tx_code = new_secret(), new_transaction_code()
        code, authentication_code = code_of_offer(offer_id), new_enrolment_code()
        issuer_state = issuer_state_of_offer(offer_id)
        expires_at_ms = self._now_ms() + self._offer_seconds * 1000
        self._store.offers.add(
            StoredOffer(
                offer_hash=hash_secret(offer_id),
                code_hash=hash_secret(code),
                tx_code_hash=hash_transaction_code(tx_code, code),
                tries_left=TRANSACTION_CODE_TRIES,
                attributes=seal(plain, code),
                reference=reference,
                expires_at_ms=expires_at_ms,
                needs_card=needs_card,
                review_hash=review_code and hash_secret(review_code),
                review=review_code and "waiting",
                review_attributes=review_code and seal(plain, review_code),
            ),
            *(
                StoredOfferKey(
                    key_hash=hash_secret(secret),
                    code=seal(code.encode(), secret),
                    needs_tx_code=needs_tx_code,
                    expires_at_ms=expires_at_ms,
                )
                for secret, needs_tx_code in ((issuer_state, True), (authentication_code, False))
            ),
        )
        link = build_offer_link(OfferReference(uri=f"{self._public_url}/offers/{offer_id}"))
        return NewOffer(
            id=offer_id,
            link=link,
            tx_code=tx_code,
            authentication_code=authentication_code,
            expires_at_ms=expires_at_ms,
            review_code=review_code,
        )

    def find(self, offer_id: str) -> CredentialOffer | None:
        """Return an open offer, as a wallet fetches it (OpenID4VCI 1.0 section 4.1.3)."""
        offer = self._store.offers.find(hash_secret(offer_id), self._now_ms())
        if offer is None:
            return None
        is_made = offer.prepared_record is not None
        return CredentialOffer(
            credential_issuer=self._public_url,
            configuration_ids=(CONFIGURATION_ID,) if is_made else self._configuration_ids,
            pre_authorized_code=code_of_offer(offer_id),
            transaction_code=_TX_CODE,
            authorization_code=AuthorizationCodeGrant(issuer_state=issuer_state_of_offer(offer_id)),
        )

    def authenticate(self, secret: str, tx_code: str | None) -> str | None:
        """Return the offer's code, where a person proves to be the one whom it was made for.

        Args:
            secret: The offer's `issuer_state`, or the authentication code that was typed.
            tx_code: The transaction code that was typed; None for none.
        """
        key = self._store.offers.find_key(hash_secret(secret), self._now_ms())
        if key is None:
            return None
        code = unseal(key.code, secret).decode("ascii")
        if key.needs_tx_code:
            is_open = tx_code is not None and self._take_try(code, tx_code) is not None
            if is_open:
                self._store.offers.return_try(hash_secret(code))
        else:
            is_open = self._store.offers.find_code(hash_secret(code), self._now_ms()) is not None
        return code if is_open else None

    def redeem(self, code: str, tx_code: str, terms: TokenTerms) -> AccessToken:
        """Exchange a pre-authorized code and its transaction code for a token, once.

        After `TRANSACTION_CODE_TRIES` wrong transaction codes the offer is gone.

        Raises:
            ProtocolError: The code or the transaction code is wrong, used, locked or expired.
        """
        offer = self._take_try(code, tx_code)
        if offer is None:
            raise ProtocolError("invalid_grant", _REFUSED)
        try:
            return self._give(offer, code, terms)
        except ProtocolError:
            # Whoever knows the transaction code has guessed nothing.
            self._store.offers.return_try(hash_secret(code))
            raise

    def give_back(self, code: str, token: AccessToken) -> None:
        """Undo `redeem`, where nobody was told the token and nothing was issued under it."""
        token_hash = hash_secret(token.token)
        offer = self._store.offers.find_token(token_hash, self._now_ms())
        if offer is not None and offer.issued is None:
            plain = unseal(offer.attributes, token.token)
            self._store.offers.give_back(
                token_hash, attributes=seal(plain, code), expires_at_ms=token.offer_until_ms
            )

    def redeem_authorized(self, code: str, terms: TokenTerms) -> AccessToken:
        """Exchange the code of an offer whose person has authenticated for a token, once.

        Raises:
            ProtocolError: The offer was used, locked or has expired.
        """
        offer = self._store.offers.find_code(hash_secret(code), self._now_ms())
        if offer is None:
            raise ProtocolError("invalid_grant", _REFUSED)
        return self._give(offer, code, terms)

    def redeem_card(self, terms: TokenTerms) -> AccessToken:
        """Exchange a card's proof for a token, without an offer.

        Raises:
            ProtocolError: This issuer takes no cards by themselves, or the proof does not verify.
        """
        if self._cards is None or not self._cards.is_self_service:
            raise ProtocolError("unsupported_grant_type", "cards are not taken by themselves")
        attributes = self._read_card(terms)
        made = self._create(
            encode_attributes(attributes),
            needs_card=False,
            reference=None,
            review_code=new_enrolment_code() if self._cards.is_reviewed else None,
        )
        given = self.redeem_authorized(code_of_offer(made.id), terms)
        return replace(given, review_code=made.review_code)

    def presented_card(self, form: Mapping[str, str]) -> PresentedCard | None:
        """Return the card's proof that a token request holds; None where it holds none.

        Raises:
            ProtocolError: It holds half of it.
        """
        proof, nonce = form.get(CARD_PROOF), form.get(CARD_NONCE)
        if proof is None and nonce is None:
            return None
        if proof is None or nonce is None:
            raise ProtocolError("invalid_request", f"{CARD_PROOF} and {CARD_NONCE} belong together")
        return PresentedCard(proof=proof, nonce=nonce)

    def _take_try(self, code: str, tx_code: str) -> StoredOffer | None:
        code_hash = hash_secret(code)
        offer = self._store.offers.take_try(code_hash, self._now_ms())
        if offer is None:
            return None
        if not hmac.compare_digest(hash_transaction_code(tx_code, code), offer.tx_code_hash):
            self._store.offers.lock(code_hash)
            return None
        return offer

    def _give(self, offer: StoredOffer, code: str, terms: TokenTerms) -> AccessToken:
        if offer.prepared_record is not None and terms.named not in (None, CONFIGURATION_ID):
            raise ProtocolError("invalid_authorization_details", "it was made in another format")
        plain = unseal(offer.attributes, code)
        if offer.needs_card:
            attributes = self._read_card(terms)
            plain = encode_attributes(replace(attributes, portrait=plain or None))
        token, refresh = new_secret(), None
        # What a review has yet to approve, and what was made beforehand, is had once.
        is_once = offer.review is not None or offer.prepared_record is not None
        if self._refresh_tokens is not None and terms.is_refreshable and not is_once:
            refresh = self._refresh_tokens.new_token()
        identifier = new_identifier(terms.named)
        lifetime_s = TOKEN_SECONDS if offer.review is None else REVIEW_SECONDS
        is_first = self._store.offers.redeem(
            hash_secret(code),
            token_hash=hash_secret(token),
            attributes=seal(plain, token),
            expires_at_ms=self._now_ms() + lifetime_s * 1000,
            dpop_jkt=terms.dpop_jkt,
            client_id=terms.client_id,
            identifier=identifier,
            grant_id=None if refresh is None else refresh.grant_id,
        )
        if not is_first:
            raise ProtocolError("invalid_grant", _REFUSED)
        if self._refresh_tokens is not None and refresh is not None:
            self._refresh_tokens.keep(
                refresh, plain, terms, identifier=identifier, reference=offer.reference
            )
        return AccessToken(
            token=token,
            lifetime_s=lifetime_s,
            offer_until_ms=offer.expires_at_ms,
            is_bound=terms.dpop_jkt is not None,
            identifier=identifier,
            refresh_token=None if refresh is None else refresh.token,
        )

    def _read_card(self, terms: TokenTerms) -> ResidentAttributes:
        if self._cards is None or terms.card is None:
            raise ProtocolError("invalid_request", "the card's proof is missing")
        return self._cards.read(terms.card.proof, terms.card.nonce)
