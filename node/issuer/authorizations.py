"""The authorization code flow: requests, the holder's decision, codes (RFC 6749, 7636, 9126)."""

import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlencode, urlsplit

import structlog

from chaincode.encoding import JsonObject
from client_sdk.errors import CredentialFormatError
from client_sdk.openid4vci.authorization import (
    CHALLENGE_METHOD,
    OPENID_CREDENTIAL,
    challenge_of,
    is_challenge,
    is_verifier,
)
from client_sdk.strict_json import encode_json, parse_strict_json, parse_strict_json_object
from node.issuer.access_tokens import AccessToken, TokenTerms
from node.issuer.clients import Client, Clients
from node.issuer.configurations import CONFIGURATION_ID, scope_of
from node.issuer.errors import ProtocolError
from node.issuer.offers import Offers
from node.issuer.one_time_secret import hash_secret, new_secret, seal, unseal
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredAuthorization

REQUEST_URI_PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
REQUEST_SECONDS: Final = 600
"""How long a pushed request waits for the holder, who may have to look for a letter."""
CODE_SECONDS: Final = 60
_MAX_CHARS: Final = 2048
"""How long a parameter of a request may be."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a wallet asks leave for.

    Attributes:
        client_id: The wallet.
        redirect_uri: Where the holder's browser goes back to.
        state: What the answer repeats; None for nothing.
        code_challenge: The S256 challenge.
        named: The credential configuration that it names, by `authorization_details` or by scope;
            None for all of them.
        issuer_state: The offer's; None where the wallet has no offer.
        dpop_jkt: The key that the code is bound to; None for none.
        is_attested: Whether the wallet's provider vouched for it: then it does at the token, too.
    """

    client_id: str
    redirect_uri: str
    state: str | None = field(repr=False)
    code_challenge: str
    named: str | None
    issuer_state: str | None = field(repr=False)
    dpop_jkt: str | None
    is_attested: bool

    def to_fields(self) -> JsonObject:
        """Return the request as a JSON object."""
        return {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": self.code_challenge,
            "named": self.named,
            "issuer_state": self.issuer_state,
            "dpop_jkt": self.dpop_jkt,
            "is_attested": self.is_attested,
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return what `to_fields` wrote."""
        texts = {
            name: None if fields[name] is None else str(fields[name])
            for name in ("state", "issuer_state", "dpop_jkt", "named")
        }
        return cls(
            client_id=str(fields["client_id"]),
            redirect_uri=str(fields["redirect_uri"]),
            code_challenge=str(fields["code_challenge"]),
            is_attested=fields["is_attested"] is True,
            **texts,
        )


class Authorizations:
    """The authorization requests of one issuer."""

    def __init__(
        self,
        store: IssuerStore,
        offers: Offers,
        clients: Clients,
        *,
        issuer: str,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the desk.

        Args:
            store: Where requests are kept.
            offers: What is authorized.
            clients: The wallets.
            issuer: The authorization server's identifier.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._offers = offers
        self._clients = clients
        self._issuer = issuer
        self._now_ms = now_ms

    def push(self, parameters: Mapping[str, str], client: Client, jkt: str | None) -> str:
        """Keep a request and return its `request_uri` (RFC 9126 section 2).

        Args:
            parameters: Of the request.
            client: The wallet that sends it.
            jkt: The key whose DPoP proof came along; None where none did.

        Raises:
            ProtocolError: The request is refused; the code says why.
        """
        if "request_uri" in parameters or "request" in parameters:
            raise ProtocolError("invalid_request", "a pushed request holds no request_uri")
        # Anybody may push, and what is pushed is kept for a while.
        if any(len(value) > _MAX_CHARS for value in parameters.values()):
            raise ProtocolError(
                "invalid_request", f"a parameter has {_MAX_CHARS} characters at most"
            )
        request = self._parse(parameters, client, jkt)
        request_uri = REQUEST_URI_PREFIX + new_secret()
        expires_at_ms = self._now_ms() + REQUEST_SECONDS * 1000
        self._store.authorizations.add(
            StoredAuthorization(
                request_hash=hash_secret(request_uri),
                parameters=seal(encode_json(request.to_fields()), request_uri),
                expires_at_ms=expires_at_ms,
                forgotten_at_ms=expires_at_ms,
            )
        )
        return request_uri

    def find(self, request_uri: str, client_id: str) -> AuthorizationRequest:
        """Return a request that waits for its holder.

        Raises:
            ProtocolError: It is unknown, decided or expired, or another wallet's.
        """
        row = self._store.authorizations.find(hash_secret(request_uri), self._now_ms())
        if row is None:
            raise ProtocolError("invalid_request", "request_uri: unknown, used or expired")
        fields = parse_strict_json_object(unseal(row.parameters, request_uri))
        request = AuthorizationRequest.from_fields(fields)
        if request.client_id != client_id:
            raise ProtocolError("invalid_request", "request_uri: it is another client's")
        return request

    def approve(
        self, request_uri: str, request: AuthorizationRequest, answer: Mapping[str, str]
    ) -> str | None:
        """Return where the browser goes with a code; None where the answer proves no person.

        Args:
            request_uri: The request's.
            request: It.
            answer: What was typed: `tx_code` for an offer, `authentication_code` without one.

        Raises:
            ProtocolError: The request was decided meanwhile.
        """
        if request.issuer_state is not None:
            secret, tx_code = request.issuer_state, answer.get("tx_code", "").strip()
        else:
            secret, tx_code = answer.get("authentication_code", "").strip().upper(), ""
        offer_code = self._offers.authenticate(secret, tx_code)
        if offer_code is None:
            _log.info("authentication_failed")
            return None
        code, now_ms = new_secret(), self._now_ms()
        granted: JsonObject = {**request.to_fields(), "offer_code": offer_code}
        is_first = self._store.authorizations.approve(
            hash_secret(request_uri),
            code_hash=hash_secret(code),
            parameters=seal(encode_json(granted), code),
            expires_at_ms=now_ms + CODE_SECONDS * 1000,
            forgotten_at_ms=now_ms + REQUEST_SECONDS * 1000,
        )
        if not is_first:
            raise ProtocolError("invalid_request", "request_uri: decided meanwhile")
        return self._answer(request, code=code)

    def deny(self, request_uri: str, request: AuthorizationRequest) -> str:
        """Return where the browser goes when the holder declines (RFC 6749 section 4.1.2.1)."""
        self._store.authorizations.remove(hash_secret(request_uri))
        return self._answer(request, error="access_denied")

    def redeem(self, form: Mapping[str, str], client: Client, jkt: str | None) -> AccessToken:
        """Exchange an authorization code for a token, once (RFC 6749 section 4.1.3).

        A code that comes twice also ends the token that it was redeemed for.

        Args:
            form: The token request.
            client: The wallet that sends it.
            jkt: The key whose DPoP proof came along; None where none did.

        Raises:
            ProtocolError: The code or its verifier is wrong, used, expired or another wallet's.
        """
        code = form.get("code")
        if not code:
            raise ProtocolError("invalid_request", "code is missing")
        row = self._store.authorizations.find_code(hash_secret(code))
        if row is None:
            raise ProtocolError("invalid_grant", "code: unknown or long expired")
        if row.token_hash is not None:
            self._revoke(row.token_hash)
            raise ProtocolError("invalid_grant", "code: used before; its token is revoked")
        if row.expires_at_ms <= self._now_ms():
            raise ProtocolError("invalid_grant", "code: expired")
        fields = parse_strict_json_object(unseal(row.parameters, code))
        request = AuthorizationRequest.from_fields(fields)
        _check_redemption(request, form, client, jkt)
        token = self._offers.redeem_authorized(
            str(fields["offer_code"]),
            TokenTerms(
                client_id=request.client_id,
                dpop_jkt=jkt,
                instance_jkt=client.instance_jkt,
                named=request.named or named_configuration(form, self._offers.configuration_ids),
                card=self._offers.presented_card(form),
                is_refreshable=True,
            ),
        )
        if not self._store.authorizations.use_code(hash_secret(code), hash_secret(token.token)):
            self._revoke(hash_secret(token.token))
            raise ProtocolError("invalid_grant", "code: used at the same moment")
        return token

    def _revoke(self, token_hash: str) -> None:
        self._store.refresh_tokens.end_of_token(token_hash)
        self._store.authorizations.revoke_token(token_hash)

    def _parse(
        self, parameters: Mapping[str, str], client: Client, jkt: str | None
    ) -> AuthorizationRequest:
        redirect_uri = parameters.get("redirect_uri")
        if client.client_id is None or redirect_uri is None:
            raise ProtocolError("invalid_request", "client_id or redirect_uri is missing")
        self._clients.check_redirect_uri(client, redirect_uri)
        if parameters.get("response_type") != "code":
            raise ProtocolError("unsupported_response_type", "response_type: only code")
        challenge = parameters.get("code_challenge", "")
        if parameters.get("code_challenge_method") != CHALLENGE_METHOD or not is_challenge(
            challenge
        ):
            raise ProtocolError("invalid_request", "code_challenge: S256 is needed (RFC 7636)")
        bound = parameters.get("dpop_jkt", jkt)
        if jkt is not None and bound != jkt:
            raise ProtocolError("invalid_dpop_proof", "dpop_jkt: not the proof's key")
        named = named_configuration(parameters, self._offers.configuration_ids)
        if named is None:
            named = _scoped_configuration(parameters, self._offers.configuration_ids)
        return AuthorizationRequest(
            client_id=client.client_id,
            redirect_uri=redirect_uri,
            state=parameters.get("state"),
            code_challenge=challenge,
            named=named,
            issuer_state=parameters.get("issuer_state"),
            dpop_jkt=bound,
            is_attested=client.is_attested,
        )

    def _answer(self, request: AuthorizationRequest, **parameters: str) -> str:
        answer = {**parameters, "iss": self._issuer}
        if request.state is not None:
            answer["state"] = request.state
        separator = "&" if urlsplit(request.redirect_uri).query else "?"
        return f"{request.redirect_uri}{separator}{urlencode(answer)}"


def named_configuration(parameters: Mapping[str, str], known: Collection[str]) -> str | None:
    """Return the configuration that a request names in `authorization_details` (section 5.1.1).

    Args:
        parameters: The request.
        known: The issuer's credential configurations.

    Returns:
        The first that is named; None where there are no details.

    Raises:
        ProtocolError: The details are malformed, or of a credential that there is not.
    """
    text = parameters.get("authorization_details")
    if text is None:
        return None
    try:
        details = parse_strict_json(text.encode())
    except (CredentialFormatError, UnicodeEncodeError):
        details = None
    if not isinstance(details, list) or not details:
        raise ProtocolError("invalid_authorization_details", "authorization_details: no JSON list")
    names = []
    for detail in details:
        match detail:
            case {"type": str(kind), "credential_configuration_id": str(name)} if (
                kind == OPENID_CREDENTIAL and name in known
            ):
                names.append(name)
            case _:
                raise ProtocolError(
                    "invalid_authorization_details", "authorization_details: unknown type or name"
                )
    return names[0]


def _scoped_configuration(parameters: Mapping[str, str], known: Collection[str]) -> str | None:
    """Return the configuration that a request names by its scope; None for all of them.

    Raises:
        ProtocolError: The scope holds none that there is.
    """
    scopes = parameters.get("scope", "").split(" ")
    named = next((name for name in known if scope_of(name) in scopes), None)
    if named is None:
        raise ProtocolError("invalid_scope", "scope: none that this issuer knows")
    return None if named == CONFIGURATION_ID else named


def _check_redemption(
    request: AuthorizationRequest, form: Mapping[str, str], client: Client, jkt: str | None
) -> None:
    if request.is_attested and not client.is_attested:
        raise ProtocolError("invalid_client", "the wallet was attested when it asked for the code")
    if client.client_id != request.client_id:
        raise ProtocolError("invalid_grant", "code: it was given to another client")
    if form.get("redirect_uri", request.redirect_uri) != request.redirect_uri:
        raise ProtocolError("invalid_grant", "redirect_uri: not the request's")
    verifier = form.get("code_verifier", "")
    if not is_verifier(verifier) or not hmac.compare_digest(
        challenge_of(verifier), request.code_challenge
    ):
        raise ProtocolError("invalid_grant", "code_verifier: missing or not the challenge's")
    if request.dpop_jkt is not None and jkt != request.dpop_jkt:
        raise ProtocolError("invalid_dpop_proof", "DPoP: the code is bound to another key")
