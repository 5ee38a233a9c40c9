"""`did:peer` of kind 2: a DID that spells out its keys and where messages reach it.

Each exchange has its own, so that it links nothing (Peer DID Method Specification, generation
method 2). We make them with one key for key agreement, X25519, and read the keys that DIDComm asks
for: X25519, P-256 and P-384.
"""

from dataclasses import dataclass, field
from typing import Final, Self, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey, OKPKey

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.multikey import decode_base58btc, encode_base58btc
from client_sdk.errors import CredentialFormatError, DidError, KeyFormatError, RequestError
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.strict_json import encode_json, parse_strict_json

AgreementKey: TypeAlias = ECKey | OKPKey

PREFIX: Final = "did:peer:2"
MAX_DID_CHARS: Final = 2048
_X25519_PUBLIC: Final = bytes.fromhex("ec01")
_CURVES: Final[dict[bytes, tuple[str, ec.EllipticCurve, int]]] = {
    bytes.fromhex("8024"): ("P-256", ec.SECP256R1(), 32),
    bytes.fromhex("8124"): ("P-384", ec.SECP384R1(), 48),
}
_MESSAGING: Final = "DIDCommMessaging"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDid:
    """A DID of a peer, and what it says.

    Attributes:
        did: The whole DID.
        agreement_keys: The public keys to encrypt to, by the DID URL that names each.
        endpoint: Where its messages are taken, an `https` URL; None where they cannot be sent.
    """

    did: str
    agreement_keys: dict[str, AgreementKey] = field(repr=False)
    endpoint: str | None

    @classmethod
    def parse(cls, did: str) -> Self:
        """Return what a peer DID says. Keys for other purposes or of other kinds are passed over.

        Raises:
            DidError: Not a `did:peer:2`, malformed, or without a key to encrypt to.
        """
        if len(did) > MAX_DID_CHARS or not did.startswith(f"{PREFIX}."):
            raise DidError(f"{PREFIX}: a DID of this kind is expected")
        keys: dict[str, AgreementKey] = {}
        endpoint: str | None = None
        key_number = 0
        for element in did.removeprefix(f"{PREFIX}.").split("."):
            purpose, encoded = element[:1], element[1:]
            if purpose == "S":
                endpoint = endpoint or _read_service(encoded)
                continue
            key_number += 1
            if purpose == "E" and (key := _read_key(encoded)) is not None:
                keys[f"{did}#key-{key_number}"] = key
        if not keys:
            raise DidError(f"{PREFIX}: has no key on X25519, P-256 or P-384 to encrypt to")
        return cls(did=did, agreement_keys=keys, endpoint=endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentity:
    """A peer DID of ours, with its private key.

    Attributes:
        did: The whole DID; its one key is `#key-1`.
        key: The private key on X25519.
    """

    did: str
    key: OKPKey = field(repr=False)

    @classmethod
    def create(cls, *, endpoint: str | None = None, key: OKPKey | None = None) -> Self:
        """Return the DID of a key.

        Args:
            endpoint: Where messages to it are taken; None for one that is answered only over the
                connection on which it writes itself.
            key: A private key on X25519; a new one by default.
        """
        private = key or OKPKey.generate_key("X25519", private=True)
        public = decode_base64url(str(private.as_dict(private=False)["x"]))
        did = f"{PREFIX}.E{encode_base58btc(_X25519_PUBLIC + public)}"
        if endpoint is not None:
            service: JsonObject = {"t": "dm", "s": {"uri": endpoint, "a": ["didcomm/v2"]}}
            did += f".S{encode_base64url(encode_json(service))}"
        return cls(did=did, key=private)

    @property
    def kid(self) -> str:
        """The DID URL of the key."""
        return f"{self.did}#key-1"


def _read_key(encoded: str) -> AgreementKey | None:
    try:
        data = decode_base58btc(encoded)
        prefix, value = data[:2], data[2:]
        if prefix == _X25519_PUBLIC:
            return OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": encode_base64url(value)})
        if prefix not in _CURVES:
            return None
        name, curve, size = _CURVES[prefix]
        point = ec.EllipticCurvePublicKey.from_encoded_point(curve, value).public_numbers()
    except (KeyFormatError, ValueError, UnsupportedAlgorithm):
        raise DidError(f"{PREFIX}: a key that is malformed") from None
    x, y = (encode_base64url(number.to_bytes(size, "big")) for number in (point.x, point.y))
    return ECKey.import_key({"kty": "EC", "crv": name, "x": x, "y": y})


def _read_service(encoded: str) -> str | None:
    """Return the address of a DIDComm service; None for a service of another kind."""
    try:
        service = parse_strict_json(decode_base64url(encoded))
    except (DecodeError, CredentialFormatError) as error:
        raise DidError(f"{PREFIX}: its service is malformed: {error}") from None
    if not isinstance(service, dict) or service.get("t", service.get("type")) not in (
        "dm",
        _MESSAGING,
    ):
        return None
    place: JsonValue = service.get("s", service.get("serviceEndpoint"))
    if isinstance(place, list):
        place = place[0] if place else None
    uri = place.get("uri") if isinstance(place, dict) else place
    if isinstance(place, dict) and (place.get("r") or place.get("routingKeys")):
        raise DidError(f"{PREFIX}: is reached through a mediator, which we do not support")
    try:
        return parse_endpoint(uri, "service endpoint")
    except RequestError as error:
        raise DidError(f"{PREFIX}: {error}") from None
