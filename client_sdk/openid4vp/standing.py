"""Standing grants: a presentation that is sealed to its verifier and left at the gateway.

The holder signs one presentation, for the verifier's key and for this grant alone: its nonce
follows from the grant's id, and it counts as long as the ledger says that the grant is live. The
gateway keeps it sealed, with a statement that the holder signs for the gateway. Each time it hands
the presentation out it writes a receipt first; it can read none of it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from chaincode.ids import ACCOUNT_ID, HASH, RECORD_ID
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
)
from client_sdk.errors import (
    CredentialFormatError,
    DepositError,
    KeyFormatError,
    SealError,
    SignatureError,
)
from client_sdk.ledger.receipts import digest_shown
from client_sdk.openid4vp.grant_offer import GrantOffer, GrantProof, hash_transaction_data
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.sealing.hpke import KEY_BYTES, SealingKey, seal
from client_sdk.strict_json import JsonFields

STATEMENT_TYP: Final = "tegata-deposit+jwt"
MAX_SEALED_CHARS: Final = 1 << 19
MAX_AGE_S: Final = 300
LEEWAY_S: Final = 60
_DOMAIN: Final = "tegata standing presentation v1"
_BLOCK_BYTES: Final = 1024
"""Presentations are filled up to whole blocks: their length tells little of what they show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """What a wallet leaves at a gateway.

    Attributes:
        sealed: The presentation, sealed to the verifier; base64url.
        statement: What the holder signs for the gateway: a JWT.
    """

    sealed: str = field(repr=False)
    statement: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """By what receipts know it: 32 bytes."""
        return digest_shown({"deposit": [self.sealed]})

    def to_form(self, *, state: str | None) -> dict[str, str]:
        """Return the form that the wallet posts to the request's response URI."""
        form = {"deposit": self.sealed, "statement": self.statement}
        return form if state is None else {**form, "state": state}

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> "Deposit":
        """Return the deposit that a form holds; it is not verified.

        Raises:
            DepositError: A field is missing or too long.
        """
        fields = JsonFields(dict(form), what="the deposit", error=DepositError)
        deposit = cls(sealed=fields.text("deposit"), statement=fields.text("statement"))
        if len(deposit.sealed) > MAX_SEALED_CHARS or not fields.data("deposit"):
            raise DepositError(f"the deposit: at most {MAX_SEALED_CHARS} characters are expected")
        return deposit


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositStatement:
    """What the holder tells the gateway of a deposit, and signs.

    Attributes:
        ledger: The ledger's id.
        account: The holder's account.
        grant: The grant's record id.
        receipt_key: What the receipts of its uses are sealed to, 32 bytes.
        signatory: The key that signed, as the ledger names signatories.
        consent: The holder's signed record of the consent, a JWT.
    """

    ledger: str
    account: str
    grant: str
    receipt_key: bytes
    signatory: str
    consent: str = field(repr=False)


def standing_nonce(grant_id: str) -> str:
    """Return the nonce of the one presentation that belongs to a standing grant."""
    return encode_base64url(hashlib.sha256(f"{_DOMAIN}\n{grant_id}".encode()).digest())


def build_deposit(
    presentation: str,
    *,
    offer: GrantOffer,
    proof: GrantProof,
    request: PresentationRequest,
    holder_key: Key,
    issued_at: int,
) -> Deposit:
    """Return a presentation, sealed, with the holder's statement for the gateway.

    Args:
        presentation: Its nonce is the grant's `standing_nonce`.
        offer: The standing grant that the verifier asks for.
        proof: The grant that the holder made.
        request: The verified request.
        holder_key: A signatory of the holder's account.
        issued_at: Seconds since 1970, UTC.

    Raises:
        DepositError: The offer is not for a standing grant, or the presentation is too long.
        KeyFormatError: The verifier's key cannot be sealed to.
    """
    if offer.deposit_key is None:
        raise DepositError("the verifier names no key to seal the presentation to")
    content = presentation.encode()
    content += b" " * (-len(content) % _BLOCK_BYTES)
    info = _place(proof.ledger, proof.account, proof.grant)
    sealed = encode_base64url(seal(content, offer.deposit_key, info=info))
    if len(sealed) > MAX_SEALED_CHARS:
        raise DepositError("the presentation is too long to be left at a gateway")
    claims: JsonObject = {
        "iat": issued_at,
        "aud": request.client_id,
        "nonce": request.nonce,
        "deposit_sha256": _hash(sealed),
        "transaction_data_hashes": [hash_transaction_data(t) for t in request.transaction_data],
        "ledger": proof.ledger,
        "account": proof.account,
        "grant": proof.grant,
        "receipt_key": encode_base64url(proof.receipt_key),
        "consent": proof.consent or "",
    }
    header: JsonObject = {"typ": STATEMENT_TYP, "jwk": export_public_jwk(holder_key)}
    return Deposit(sealed=sealed, statement=sign_compact(header, claims, holder_key))


def verify_statement(
    deposit: Deposit, request: PresentationRequest, *, now_s: int
) -> DepositStatement:
    """Return what the statement of a deposit says, signed by the key that it names.

    Whether that key is a signatory of the account, and the grant is as it was asked for, is for the
    caller to see on the ledger.

    Args:
        deposit: What a wallet sent.
        request: The request that it answers.
        now_s: Seconds since 1970, UTC.

    Raises:
        DepositError: It is not signed, or is for another request, verifier, time or deposit.
    """
    try:
        token = parse_compact(deposit.statement)
        key = parse_public_jwk(token.unverified_header.get("jwk"))
        _, claims = token.verify(key=key, expected_typ=STATEMENT_TYP)
    except (CredentialFormatError, KeyFormatError, SignatureError) as error:
        raise DepositError(f"the deposit's statement: {error}") from None
    fields = JsonFields(claims, what="the deposit's statement", error=DepositError)
    if not -LEEWAY_S <= now_s - fields.whole("iat") <= MAX_AGE_S:
        raise DepositError("the deposit's statement: not of this time (iat)")
    if (fields.text("aud"), fields.text("nonce")) != (request.client_id, request.nonce):
        raise DepositError("the deposit's statement: for another request (aud, nonce)")
    if fields.text("deposit_sha256") != _hash(deposit.sealed):
        raise DepositError("the deposit's statement: for another deposit (deposit_sha256)")
    hashes = tuple(hash_transaction_data(text) for text in request.transaction_data)
    if fields.texts("transaction_data_hashes") != hashes:
        raise DepositError("the deposit's statement: for other terms (transaction_data_hashes)")
    statement = DepositStatement(
        ledger=fields.text("ledger"),
        account=fields.text("account"),
        grant=fields.text("grant"),
        receipt_key=fields.data("receipt_key"),
        signatory=_signatory(key),
        consent=fields.text("consent"),
    )
    is_formed = (
        HASH.fullmatch(statement.ledger)
        and ACCOUNT_ID.fullmatch(statement.account)
        and RECORD_ID.fullmatch(statement.grant)
        and len(statement.receipt_key) == KEY_BYTES
    )
    if not is_formed:
        raise DepositError("the deposit's statement: ledger, account, grant or receipt_key")
    return statement


def open_deposit(sealed: str, key: SealingKey, *, ledger: str, account: str, grant: str) -> str:
    """Return the presentation that was sealed to the verifier; it is not verified.

    Args:
        sealed: As the gateway hands it out, base64url.
        key: The verifier's key.
        ledger: The ledger's id.
        account: The holder's account.
        grant: The grant that it was handed out under.

    Raises:
        DepositError: It was sealed to another key, or for another grant.
    """
    try:
        content = key.open(decode_base64url(sealed), info=_place(ledger, account, grant))
        return content.rstrip(b" ").decode("ascii")
    except (DecodeError, SealError, UnicodeDecodeError):
        raise DepositError(
            "the deposit cannot be opened: it is sealed to another key, or for another grant"
        ) from None


def _signatory(key: Key) -> str:
    jwk = export_public_jwk(key)
    if jwk["crv"] != "Ed25519":
        raise DepositError("the deposit's statement: not signed by a key of a ledger account")
    raw = decode_base64url(cast(str, jwk["x"]))
    return PublicKey(KeyAlgorithm.ED25519_SHA2, raw).encode()


def _hash(text: str) -> str:
    return encode_base64url(hashlib.sha256(text.encode()).digest())


def _place(ledger: str, account: str, grant: str) -> bytes:
    return "\n".join([_DOMAIN, ledger, account, grant]).encode()
