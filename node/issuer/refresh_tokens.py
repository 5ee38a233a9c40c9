"""Refresh tokens: the same credentials again, without a new offer (RFC 6749 section 6).

The service keeps attributes only as long as they can be asked for, and cannot read them: they are
sealed under the token, which the wallet alone holds. They stay as they were attested; who moves
gets a new offer, and the operator ends the old grant by revoking a credential of it.

A token that is bound to the wallet's key stays the same, as FAPI 2.0 (section 5.3.2.1) wants it.
One that is not is good once, and its second use ends all that came of the grant (RFC 9700 section
4.14).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from node.issuer.access_tokens import (
    TOKEN_SECONDS,
    AccessToken,
    TokenTerms,
    new_identifier,
    redeemed_offer,
)
from node.issuer.clients import Client
from node.issuer.configurations import configuration_of
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import hash_secret, new_secret, seal, unseal
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredRefreshToken

MAX_TOKEN_CHARS: Final = 128
_DAY_MS: Final = 86_400_000
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefreshToken:
    """A refresh token that nobody has yet.

    Attributes:
        token: The token.
        grant_id: What it shares with all that comes of the grant.
    """

    token: str = field(repr=False)
    grant_id: str


class RefreshTokens:
    """The refresh tokens of one issuer."""

    def __init__(self, store: IssuerStore, *, days: int, now_ms: Callable[[], int]) -> None:
        """Make the desk.

        Args:
            store: Where tokens are kept.
            days: How long the wallet may ask again after the first time; the end is not put off.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._days = days
        self._now_ms = now_ms

    def new_token(self) -> NewRefreshToken:
        """Return a token of a new grant; `keep` makes it good."""
        return NewRefreshToken(token=new_secret(), grant_id=secrets.token_hex(16))

    def keep(
        self,
        made: NewRefreshToken,
        plain: bytes,
        terms: TokenTerms,
        *,
        identifier: str | None,
        reference: str | None,
    ) -> None:
        """Keep a token, with what is attested.

        Args:
            made: The token.
            plain: The attributes, as an offer holds them.
            terms: To whom it is given.
            identifier: The `credential_identifier` that requests name; None for none.
            reference: The operator's own case number.
        """
        self._store.refresh_tokens.add(
            StoredRefreshToken(
                token_hash=hash_secret(made.token),
                grant_id=made.grant_id,
                attributes=seal(plain, made.token),
                reference=reference,
                identifier=identifier,
                dpop_jkt=terms.dpop_jkt,
                instance_jkt=terms.instance_jkt,
                client_id=terms.client_id,
                expires_at_ms=self._now_ms() + self._days * _DAY_MS,
                is_used=False,
            )
        )

    def redeem(self, refresh_token: str, client: Client, terms: TokenTerms) -> AccessToken:
        """Exchange a refresh token for an access token.

        Args:
            refresh_token: The token.
            client: The wallet that asks.
            terms: What it proves, and which configuration it names; by default the grant's.

        Raises:
            ProtocolError: It is unknown, ended, used, expired or another wallet's, or the terms
                reach further than the grant.
        """
        row = self._store.refresh_tokens.find(hash_secret(refresh_token), self._now_ms())
        if row is None:
            raise ProtocolError("invalid_grant", "refresh_token: unknown, ended or expired")
        if row.client_id is not None and client.client_id not in (None, row.client_id):
            raise ProtocolError("invalid_grant", "refresh_token: it is another client's")
        if row.instance_jkt is not None and client.instance_jkt != row.instance_jkt:
            # OAuth 2.0 Attestation-Based Client Authentication, "Refresh token binding".
            raise ProtocolError("invalid_grant", "refresh_token: another key was attested")
        if row.dpop_jkt is not None and terms.dpop_jkt != row.dpop_jkt:
            raise ProtocolError("invalid_dpop_proof", "DPoP: the token is bound to another key")
        if row.is_used:
            raise self._used(row)
        granted = None if row.identifier is None else configuration_of(row.identifier)
        if granted is not None and terms.named not in (None, granted):
            raise ProtocolError("invalid_authorization_details", "more than was granted")
        if self._store.refresh_tokens.has_suspended(row.grant_id):
            raise ProtocolError("invalid_grant", "refresh_token: a credential is suspended")
        plain = unseal(row.attributes, refresh_token)
        following = None if row.dpop_jkt is not None else self._rotate(row, plain)
        token, identifier = new_secret(), row.identifier or new_identifier(terms.named)
        offer = redeemed_offer(
            plain,
            token,
            replace(terms, client_id=row.client_id),
            reference=row.reference,
            identifier=identifier,
            expires_at_ms=self._now_ms() + TOKEN_SECONDS * 1000,
            grant_id=row.grant_id,
        )
        if not self._store.refresh_tokens.give(offer, hash_secret(following or refresh_token)):
            raise ProtocolError("invalid_grant", "refresh_token: ended at this moment")
        _log.info("token_refreshed")
        return AccessToken(
            token=token,
            lifetime_s=TOKEN_SECONDS,
            is_bound=terms.dpop_jkt is not None,
            identifier=identifier,
            refresh_token=following,
        )

    def _rotate(self, row: StoredRefreshToken, plain: bytes) -> str:
        """Return the token that takes the place of one that no key is bound to."""
        following = new_secret()
        is_first = self._store.refresh_tokens.rotate(
            row.token_hash,
            StoredRefreshToken(
                token_hash=hash_secret(following),
                grant_id=row.grant_id,
                attributes=seal(plain, following),
                reference=row.reference,
                identifier=row.identifier,
                dpop_jkt=None,
                instance_jkt=row.instance_jkt,
                client_id=row.client_id,
                expires_at_ms=row.expires_at_ms,
                is_used=False,
            ),
        )
        if not is_first:
            raise self._used(row)
        return following

    def _used(self, row: StoredRefreshToken) -> ProtocolError:
        self._store.refresh_tokens.end(row.grant_id)
        _log.warning("refresh_token_used_twice")
        return ProtocolError("invalid_grant", "refresh_token: used before; its grant has ended")
