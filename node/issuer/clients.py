"""Which wallet asks: registered ones by name, others by their provider's attestation (HAIP 1.0)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from werkzeug.datastructures import Headers

from client_sdk.errors import ClientError, RequestError
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.openid4vci.client_attestation import (
    ATTESTATION_HEADER,
    MAX_PROOF_AGE_S,
    PROOF_HEADER,
    verify_wallet_attestation,
)
from node.errors import NonceError
from node.issuer.config import WalletClient
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import hash_secret
from node.issuer.store import IssuerStore
from node.web.nonce import NonceSealer

CHALLENGE_HEADER: Final = "OAuth-Client-Attestation-Challenge"
LEEWAY_S: Final = 60
_LOOPBACK: Final = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The wallet that sends a request.

    Attributes:
        client_id: Its client identifier; None where it names itself by nothing.
        is_attested: Whether its provider vouches for it.
        instance_jkt: The thumbprint of the key that its provider attests; None for none.
    """

    client_id: str | None
    is_attested: bool
    instance_jkt: str | None = None


class Clients:
    """The wallets that this issuer knows."""

    def __init__(
        self,
        store: IssuerStore,
        challenges: NonceSealer,
        *,
        audience: str,
        registered: Sequence[WalletClient],
        anchors: Sequence[x509.Certificate],
        attestation_required: bool,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the register.

        Args:
            store: Remembers the proofs that were used.
            challenges: Makes challenges.
            audience: The authorization server's identifier.
            registered: Wallets that are known by their name.
            anchors: Who vouches for wallets' providers.
            attestation_required: Whether every wallet must show an attestation (HAIP 1.0).
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._challenges = challenges
        self._audience = audience
        self._registered = {client.client_id: client for client in registered}
        self._anchors = anchors
        self._is_required = attestation_required
        self._now_ms = now_ms

    def new_challenge(self) -> str:
        """Return a challenge for a wallet's proof."""
        return self._challenges.new_nonce(self._now_ms())

    def authenticate(self, headers: Headers, client_id: str | None) -> Client:
        """Return which wallet sends a request.

        Args:
            headers: The request's.
            client_id: The request's parameter; None where it has none.

        Raises:
            ProtocolError: An attestation is missing or not acceptable, or is another's.
        """
        attestation, proof = headers.get(ATTESTATION_HEADER), headers.get(PROOF_HEADER)
        if attestation is None and proof is None:
            if self._is_required:
                raise ProtocolError("invalid_client", f"{ATTESTATION_HEADER} is missing")
            return Client(client_id=client_id, is_attested=False)
        try:
            client = verify_wallet_attestation(
                attestation or "",
                proof or "",
                audience=self._audience,
                anchors=self._anchors,
                now_s=self._now_ms() // 1000,
                leeway_s=LEEWAY_S,
            )
        except ClientError as error:
            raise ProtocolError("invalid_client", str(error)) from None
        if client_id is not None and client_id != client.client_id:
            raise ProtocolError("invalid_client", "client_id is not the attestation's sub")
        self._check_challenge(client.challenge)
        used_until_ms = self._now_ms() + (MAX_PROOF_AGE_S + 2 * LEEWAY_S) * 1000
        if not self._store.nonces.spend(
            hash_secret(f"attestation {client.jkt} {client.proof_id}"), used_until_ms
        ):
            raise ProtocolError("invalid_client", "wallet attestation proof: used before (jti)")
        return Client(client_id=client.client_id, is_attested=True, instance_jkt=client.jkt)

    def check_redirect_uri(self, client: Client, redirect_uri: str) -> None:
        """Refuse to send a browser to an address that is not this wallet's.

        A registered wallet goes where it is registered for, to any port of its own machine
        (RFC 8252 section 7.3). One that is attested may bring its address along (RFC 9126
        section 2.4).

        Raises:
            ProtocolError: The wallet is unknown, or the address not its own.
        """
        known = self._registered.get(client.client_id or "")
        if known is not None:
            if not any(_is_same(uri, redirect_uri) for uri in known.redirect_uris):
                raise ProtocolError("invalid_request", "redirect_uri: not registered")
        elif not client.is_attested:
            raise ProtocolError("invalid_client", "client_id: unknown")
        elif not _is_acceptable(redirect_uri):
            raise ProtocolError("invalid_request", "redirect_uri: https, or an app's own scheme")

    def _check_challenge(self, challenge: str | None) -> None:
        headers = {CHALLENGE_HEADER: self.new_challenge()}
        if challenge is None:
            if self._is_required:
                raise ProtocolError(
                    "use_attestation_challenge",
                    "wallet attestation proof: no challenge",
                    headers=headers,
                )
            return
        try:
            self._challenges.check_nonce(challenge, self._now_ms())
        except NonceError as error:
            raise ProtocolError(
                "use_attestation_challenge",
                f"wallet attestation proof: {error}",
                headers=headers,
            ) from None


def _is_same(registered: str, asked: str) -> bool:
    if registered == asked:
        return True
    try:
        known, given = urlsplit(registered), urlsplit(asked)
        given_port = given.port
    except ValueError:
        return False
    return (
        known.scheme == given.scheme == "http"
        and known.hostname == given.hostname
        and known.hostname in _LOOPBACK
        and given_port is not None
        and (known.path, known.query, given.fragment) == (given.path, given.query, "")
        and "@" not in given.netloc
    )


def _is_acceptable(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        # An app's own scheme is a domain name turned round (RFC 8252 section 7.1).
        if "." in parts.scheme:
            return not parts.fragment and uri.isascii() and uri.isprintable()
        parse_endpoint(uri, "redirect_uri")
    except (ValueError, RequestError):
        return False
    # A program on this machine listens on an address, no name (RFC 8252 sections 7.3 and 8.3).
    return parts.scheme == "https" or parts.hostname in _LOOPBACK
