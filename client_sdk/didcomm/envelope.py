"""The encrypted envelope of a message: `anoncrypt`, ECDH-ES+A256KW with A256GCM, by joserfc.

DIDComm Messaging 2.1, section Message Encryption; WACI-DIDComm 1.0, section Encryption. A message
is a JWE in JSON form with one recipient. It hides who wrote it: what it carries shows that.
"""

import hashlib
from typing import Final

from joserfc import jwe
from joserfc.errors import JoseError

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.didcomm.message import Message
from client_sdk.didcomm.peer_did import AgreementKey, PeerDid, PeerIdentity
from client_sdk.errors import CredentialFormatError, MessageFormatError
from client_sdk.strict_json import JsonFields, encode_json, parse_strict_json

ENCRYPTED_TYPE: Final = "application/didcomm-encrypted+json"
MAX_BYTES: Final = 1 << 20
_KEY_ALGORITHM: Final = "ECDH-ES+A256KW"
_CONTENT_ALGORITHM: Final = "A256GCM"
# What others may encrypt with: the specification requires the second.
_CONTENT_ALGORITHMS: Final = (_CONTENT_ALGORITHM, "A256CBC-HS512")
_REGISTRY: Final = jwe.JWERegistry(algorithms=[_KEY_ALGORITHM, *_CONTENT_ALGORITHMS])
_REGISTRY.max_ciphertext_length = MAX_BYTES


def encrypt_message(message: Message, recipient: PeerDid) -> bytes:
    """Return a message that only a peer can read.

    Args:
        message: To whom it goes stands in it, too.
        recipient: The peer; its first key is taken.

    Raises:
        MessageFormatError: The message is too long, or nothing can be encrypted to the peer's key.
    """
    kid, key = next(iter(recipient.agreement_keys.items()))
    header = {
        "typ": ENCRYPTED_TYPE,
        "alg": _KEY_ALGORITHM,
        "enc": _CONTENT_ALGORITHM,
        "apv": encode_base64url(hashlib.sha256(kid.encode()).digest()),
    }
    # All common headers are protected, so the parts of the compact form are those of the JSON form.
    try:
        token = jwe.encrypt_compact(header, encode_json(message.to_json()), key, registry=_REGISTRY)
    except ValueError:
        # RFC 7748 section 6.1: a key of small order, with which nothing is secret.
        raise MessageFormatError("DIDComm message: the recipient's key cannot be used") from None
    protected, encrypted_key, iv, ciphertext, tag = token.split(".")
    envelope: JsonObject = {
        "protected": protected,
        "recipients": [{"header": {"kid": kid}, "encrypted_key": encrypted_key}],
        "iv": iv,
        "ciphertext": ciphertext,
        "tag": tag,
    }
    encoded = encode_json(envelope)
    if len(encoded) > MAX_BYTES:
        raise MessageFormatError(f"DIDComm message: more than {MAX_BYTES} bytes")
    return encoded


def decrypt_message(envelope: bytes, identity: PeerIdentity, *, now_s: int) -> Message:
    """Return a message that was encrypted for us.

    Args:
        envelope: As it came.
        identity: Our DID and its key.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        MessageFormatError: Not an envelope of a message for us, or one that has expired.
    """
    message = Message.from_json(_parse(decrypt_envelope(envelope, identity.kid, identity.key)))
    if message.recipient not in (None, identity.did):
        raise MessageFormatError("DIDComm message: encrypted for another than its to names")
    if message.expires_at_s is not None and message.expires_at_s < now_s:
        raise MessageFormatError("DIDComm message: its expires_time has passed")
    return message


def decrypt_envelope(envelope: bytes, kid: str, key: AgreementKey) -> bytes:
    """Return what an envelope holds for one of its recipients.

    Args:
        envelope: A JWE in general JSON form.
        kid: The DID URL of the recipient's key.
        key: The private key.

    Raises:
        MessageFormatError: Not such a JWE, too long, or not for this key.
    """
    if len(envelope) > MAX_BYTES:
        raise MessageFormatError(f"DIDComm message: more than {MAX_BYTES} bytes")
    fields = JsonFields(_parse(envelope), what="DIDComm envelope", error=MessageFormatError)
    if "aad" in fields.names or "unprotected" in fields.names:
        raise MessageFormatError("DIDComm envelope: all headers but kid are protected")
    own = [
        recipient
        for recipient in fields.objects("recipients")
        if recipient.member("header").text("kid") == kid
    ]
    if len(own) != 1:
        raise MessageFormatError("DIDComm envelope: not encrypted for this recipient's key")
    parts = (
        fields.text("protected"),
        own[0].text("encrypted_key"),
        *(fields.text(name) for name in ("iv", "ciphertext", "tag")),
    )
    if any("." in part for part in parts):
        raise MessageFormatError("DIDComm envelope: a part that is not base64url")
    try:
        content = jwe.decrypt_compact(".".join(parts), key, registry=_REGISTRY).plaintext
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        # joserfc lets errors of the key's parts through where the header is malformed.
        raise MessageFormatError("DIDComm envelope: cannot be decrypted with our key") from None
    return content or b""


def _parse(data: bytes) -> JsonObject:
    try:
        value = parse_strict_json(data)
    except CredentialFormatError as error:
        raise MessageFormatError(f"DIDComm: {error}") from None
    if not isinstance(value, dict):
        raise MessageFormatError("DIDComm: an object is expected")
    return value
