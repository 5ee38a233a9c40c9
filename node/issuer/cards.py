"""My Number cards at the issuer: what a card proved is what is attested (ADR 0028, ADR 0031)."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, cast, get_args

import structlog
from cryptography import x509

from client_sdk.card.card_proof import CardProof, verify_card_proof
from client_sdk.credentials.resident import ResidentAttributes, Sex, age_on
from client_sdk.errors import ClientError
from client_sdk.strict_json import parse_strict_json_object
from node.errors import ConfigError, NonceError
from node.issuer.attributes import day_in_japan
from node.issuer.config import CardConfig
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import hash_secret
from node.issuer.store import IssuerStore
from node.web.nonce import NonceSealer

_NOT_STATED: Final = "9"
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


class Cards:
    """Takes the proofs of cards."""

    def __init__(
        self,
        store: IssuerStore,
        nonces: NonceSealer,
        config: CardConfig,
        *,
        public_url: str,
        now_ms: Callable[[], int],
    ) -> None:
        """Make the desk.

        Args:
            store: Remembers the nonces that were used.
            nonces: Knows the issuer's nonces.
            config: Who vouches for cards, and whose cards are taken.
            public_url: The issuer's identifier, which cards sign.
            now_ms: The clock: milliseconds since 1970, UTC.

        Raises:
            ConfigError: A file cannot be read.
        """
        self._store = store
        self._nonces = nonces
        self._config = config
        self._anchors = load_anchors(config)
        load_revocation_lists(config)
        self._public_url = public_url
        self._now_ms = now_ms

    @property
    def is_reviewed(self) -> bool:
        """Whether somebody at the counter approves what a card asked for by itself."""
        return self._config.self_service == "reviewed"

    @property
    def is_self_service(self) -> bool:
        """Whether a card suffices, without an offer from the counter."""
        return self._config.self_service != "off"

    def read(self, proof: str, nonce: str) -> ResidentAttributes:
        """Return the attributes that a card proved.

        Args:
            proof: What the wallet sent, JSON.
            nonce: The issuer's nonce that the card signed; it is used up.

        Raises:
            ProtocolError: The proof does not verify, or the card is of another city's resident.
        """
        try:
            expires_at_ms = self._nonces.check_nonce(nonce, self._now_ms())
        except NonceError as error:
            raise ProtocolError("invalid_nonce", f"card proof: {error}") from None
        now = datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)
        try:
            proven = verify_card_proof(
                CardProof.from_json(parse_strict_json_object(proof.encode())),
                expected_audience=self._public_url,
                expected_nonce=nonce,
                trust_anchors=self._anchors,
                # Read anew each time: the operator replaces the file.
                revocation_lists=load_revocation_lists(self._config),
                now=now,
            )
            # The card has no other digits than these; what it leaves open stays open.
            sex = cast(Sex, proven.sex if proven.sex in get_args(Sex) else _NOT_STATED)
            attributes = ResidentAttributes(
                name=proven.name,
                address=proven.address,
                municipality=self._config.municipality,
                birth_date=proven.birth_date,
                sex=sex,
            )
            age_on(attributes.birth_date, day_in_japan(self._now_ms()))
        except (ClientError, UnicodeEncodeError) as error:
            reason = str(error) if isinstance(error, ClientError) else "not UTF-8"
            raise ProtocolError("invalid_grant", f"card proof: {reason}") from None
        except ConfigError as error:
            _log.error("card_lists_unreadable", detail=str(error))
            raise ProtocolError(
                "temporarily_unavailable", "card proof: no revocation list", status=503
            ) from None
        if not attributes.address.startswith(self._config.addresses):
            raise ProtocolError("invalid_grant", "card proof: the address is not in this city")
        if not self._store.nonces.spend(hash_secret(nonce), expires_at_ms):
            raise ProtocolError("invalid_nonce", "card proof: the nonce was used before")
        return attributes


def load_anchors(config: CardConfig) -> Sequence[x509.Certificate]:
    """Read the certificates of the cards' authority.

    Raises:
        ConfigError: The file cannot be read, or is no PEM text of certificates.
    """
    path = config.authority_file
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path}: no PEM text of certificates") from None


def load_revocation_lists(config: CardConfig) -> list[x509.CertificateRevocationList]:
    """Read the authority's revocation lists, PEM or DER.

    Raises:
        ConfigError: A file cannot be read.
    """
    lists = []
    for path in config.revocation_list_files:
        try:
            data = path.read_bytes()
            is_pem = data.startswith(b"-----BEGIN")
            load = x509.load_pem_x509_crl if is_pem else x509.load_der_x509_crl
            lists.append(load(data))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except ValueError:
            raise ConfigError(f"{path}: no revocation list") from None
    return lists
