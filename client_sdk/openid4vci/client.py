"""The wallet's way from an access token to credentials (OpenID4VCI 1.0 sections 7 to 11)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import Key
from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.errors import (
    HolderBindingError,
    IssuanceDeferredError,
    IssuerRefusedError,
    OfferError,
    TransportError,
)
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.ledger.batches import Inclusion
from client_sdk.openid4vci.issuer_answers import accept_answer, host_of
from client_sdk.openid4vci.issuer_channel import WalletProofs, post_with_token
from client_sdk.openid4vci.issuer_metadata import ATTESTATION_PROOF, JWT_PROOF
from client_sdk.openid4vci.key_attestation import KeyAttester
from client_sdk.openid4vci.key_proof import sign_key_proof
from client_sdk.openid4vci.message_encryption import (
    MEDIA_TYPE,
    decrypt_message,
    encrypt_message,
    encryption_to,
)
from client_sdk.openid4vci.received_credential import ReceivedCredential, read_received
from client_sdk.openid4vci.token_client import (
    AcceptedOffer,
    fetch_nonce,
    fetch_offer,
    redeem_offer,
)
from client_sdk.strict_json import encode_json

Event = Literal["credential_accepted", "credential_failure", "credential_deleted"]
FACE_PAGE: Final = "tegata_face_page"
"""In a deferred answer: the page where the holder's face is tested before it is issued."""
_MAX_INTERVAL_S: Final = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCredentials:
    """What an issuer handed out at once.

    Attributes:
        credentials: In the order of the keys that they were asked for.
        notification_id: What the issuer is told by what became of them; None for nothing.
    """

    credentials: tuple[ReceivedCredential, ...]
    notification_id: str | None = field(repr=False)


def receive_credential(
    offer_link: str,
    *,
    tx_code: str | None,
    holder_key: Key,
    account: str | None = None,
    credential_format: str | None = None,
    now_ms: int,
    http: HttpClient,
) -> ReceivedCredential:
    """Accept an offer and return its credential: `redeem_offer`, then `request_credential`.

    Args:
        offer_link: `openid-credential-offer://...`.
        tx_code: What the person typed; None where the offer asks for nothing.
        credential_format: The format that is wanted; None for the first that is offered.
        holder_key: The private key that the credential is to be bound to.
        account: The ledger account that it is to name, of which the key is a signatory.
        now_ms: Milliseconds since 1970, UTC.
        http: The session.

    Raises:
        OfferError: The offer cannot be used, or the issuer refused it.
        VerificationError: The credential is not signed by the issuer, or not for this key.
        CredentialFormatError: The credential is not well formed.
        TransportError: The issuer cannot be reached. An offer's code is good once: a wallet that
            wants to try again without a new offer takes the two steps itself.
    """
    offer = fetch_offer(offer_link, http=http)
    accepted = redeem_offer(offer, tx_code=tx_code, credential_format=credential_format, http=http)
    return request_credential(
        accepted, holder_key=holder_key, account=account, now_ms=now_ms, http=http
    )


def request_credential(
    accepted: AcceptedOffer,
    *,
    holder_key: Key,
    account: str | None = None,
    now_ms: int,
    http: HttpClient,
) -> ReceivedCredential:
    """Return the credential of an accepted offer, checked against the issuer's published keys.

    Whether the issuer is registered on the ledger is not looked at here: a verifier does.

    Args:
        accepted: The accepted offer.
        holder_key: The private key that the credential is to be bound to.
        account: The ledger account that it is to name, of which the key is a signatory.
        now_ms: Milliseconds since 1970, UTC.
        http: The session.

    Raises:
        OfferError: The issuer refused.
        VerificationError: The credential is not signed by the issuer, or not for this key.
        CredentialFormatError: The credential is not well formed.
        TransportError: The issuer or its ledger cannot be reached: ask again with the same offer.
    """
    issued = request_credentials(
        accepted, holder_keys=(holder_key,), account=account, now_ms=now_ms, http=http
    )
    return issued.credentials[0]


def request_credentials(
    accepted: AcceptedOffer,
    *,
    holder_keys: Sequence[Key],
    account: str | None = None,
    attest_keys: KeyAttester | None = None,
    now_ms: int,
    http: HttpClient,
) -> IssuedCredentials:
    """Return a credential for each key, all of the same attributes, in one request.

    Args:
        accepted: The accepted offer.
        holder_keys: Private keys, all different; at most as many as the issuer takes.
        account: The ledger account that they are to name, of which the keys are signatories.
        attest_keys: Has the wallet's provider vouch for the keys, where the issuer demands that.
        now_ms: Milliseconds since 1970, UTC.
        http: The session.

    Raises:
        IssuanceDeferredError: The issuer issues later: `collect_credentials` then.
        OfferError: The issuer refused, or takes fewer keys, or no proof that this wallet has.
        VerificationError: A credential is not signed by the issuer, or not for one of the keys.
        CredentialFormatError: A credential is not well formed.
        TransportError: The issuer or its ledger cannot be reached: ask again with the same keys.
    """
    if not 1 <= len(holder_keys) <= accepted.metadata.batch_size:
        raise OfferError(f"this issuer takes 1 to {accepted.metadata.batch_size} keys at once")
    now_s = now_ms // 1000

    def ask() -> JsonObject:
        nonce = fetch_nonce(accepted.metadata, http)
        proofs = _prove_keys(
            accepted,
            holder_keys,
            account=account,
            nonce=nonce,
            attest_keys=attest_keys,
            now_s=now_s,
        )
        request: JsonObject = {**accepted.wanted, "proofs": proofs}
        return _exchange(accepted, accepted.metadata.credential_endpoint, request, now_s, http)

    try:
        fields = ask()
    except IssuerRefusedError as error:
        if error.code != "invalid_nonce":
            raise
        # The nonce expired on the way: the issuer asks for proofs over a new one.
        fields = ask()
    return read_issued(accepted, fields, holder_keys, now_s)


def _prove_keys(
    accepted: AcceptedOffer,
    keys: Sequence[Key],
    *,
    account: str | None,
    nonce: str | None,
    attest_keys: KeyAttester | None,
    now_s: int,
) -> JsonObject:
    """Return the member `proofs` of a request, in a way that the issuer takes (appendix F)."""
    ways = accepted.proof_types
    by_jwt, by_attestation = ways.get(JWT_PROOF), ways.get(ATTESTATION_PROOF)
    if by_jwt is None and by_attestation is None:
        raise OfferError("issuer metadata: it takes no proof of a key that is known here")
    attestation = None
    if by_jwt is None or by_jwt.demand is not None:
        if attest_keys is None:
            raise OfferError(
                "the issuer wants the wallet's provider to vouch for its keys, and this wallet has "
                "none"
            )
        attestation = attest_keys(keys, nonce)
    if by_jwt is None:
        return {ATTESTATION_PROOF: [attestation]}
    # One attestation names all keys, and one of them speaks for all (HAIP 1.0 section 4.5.1).
    proofs: list[JsonValue] = [
        sign_key_proof(
            holder_key=key,
            issuer_url=accepted.metadata.credential_issuer,
            nonce=nonce,
            issued_at=now_s,
            account=account,
            attestation=attestation,
        )
        for key in (keys if attestation is None else keys[:1])
    ]
    return {JWT_PROOF: proofs}


def collect_credentials(
    accepted: AcceptedOffer,
    transaction_id: str,
    *,
    holder_keys: Sequence[Key],
    now_ms: int,
    http: HttpClient,
) -> IssuedCredentials:
    """Return what an issuer deferred, where it is ready (section 9).

    Args:
        accepted: The accepted offer.
        transaction_id: From the `IssuanceDeferredError`.
        holder_keys: The keys that were asked with.
        now_ms: Milliseconds since 1970, UTC.
        http: The session.

    Raises:
        IssuanceDeferredError: It takes longer.
        OfferError: The issuer will not issue it, or was asked before.
        VerificationError: A credential is not signed by the issuer, or not for one of the keys.
        CredentialFormatError: A credential is not well formed.
        TransportError: The issuer or its ledger cannot be reached.
    """
    endpoint = accepted.metadata.deferred_endpoint
    if endpoint is None:
        raise OfferError("issuer metadata: deferred_credential_endpoint is missing")
    request: JsonObject = {"transaction_id": transaction_id}
    fields = _exchange(accepted, endpoint, request, now_ms // 1000, http)
    return read_issued(accepted, fields, holder_keys, now_ms // 1000)


def notify_issuer(
    accepted: AcceptedOffer,
    notification_id: str,
    event: Event,
    *,
    now_ms: int,
    http: HttpClient,
) -> None:
    """Tell an issuer what has become of its credentials (section 11).

    Raises:
        OfferError: It does not take the notification, or wants none.
        TransportError: It cannot be reached.
    """
    endpoint = accepted.metadata.notification_endpoint
    if endpoint is None:
        raise OfferError("issuer metadata: notification_endpoint is missing")
    request: JsonObject = {"notification_id": notification_id, "event": event}
    answer = post_with_token(
        http,
        endpoint,
        encode_json(request),
        content_type="application/json",
        token=accepted.token,
        proofs=WalletProofs(now_s=now_ms // 1000, dpop_key=accepted.dpop_key),
    )
    if not 200 <= answer.status < 300:
        accept_answer(answer, f"{host_of(endpoint)}: notification")


def _exchange(
    accepted: AcceptedOffer, endpoint: str, request: JsonObject, now_s: int, http: HttpClient
) -> JsonObject:
    """Send a request and return its answer's members, both encrypted where the issuer can."""
    metadata, key = accepted.metadata, None
    if metadata.request_encryption is not None and metadata.response_encryption:
        key = generate_encryption_key()
        request = {**request, "credential_response_encryption": encryption_to(key).to_fields()}
        body = encrypt_message(request, metadata.request_encryption).encode("ascii")
    elif metadata.encryption_required:
        raise OfferError("issuer metadata: it demands an encryption that is not known here")
    else:
        body = encode_json(request)
    answer = post_with_token(
        http,
        endpoint,
        body,
        content_type="application/json" if key is None else MEDIA_TYPE,
        token=accepted.token,
        proofs=WalletProofs(now_s=now_s, dpop_key=accepted.dpop_key),
    )
    return _open_answer(answer, key, f"{host_of(endpoint)}: credential")


def _open_answer(answer: HttpAnswer, key: ECKey | None, where: str) -> JsonObject:
    if answer.status not in (200, 202) or key is None:
        return accept_answer(answer, where)
    if answer.media_type != MEDIA_TYPE:
        # Section 10: what was to be encrypted and is not is refused.
        raise TransportError(f"{where}: the answer is not encrypted")
    return decrypt_message(answer.body, key)


def read_issued(
    accepted: AcceptedOffer, fields: JsonObject, holder_keys: Sequence[Key], now_s: int
) -> IssuedCredentials:
    """Return the credentials of a credential response, each checked (section 8.3).

    Args:
        accepted: What was asked for, of whom.
        fields: The response.
        holder_keys: The private keys that they are to be bound to.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        IssuanceDeferredError: The issuer issues later.
        VerificationError: A credential is not signed by the issuer, or not for one of the keys.
        CredentialFormatError: A credential is not well formed.
        TransportError: The response is none.
    """
    where = f"{host_of(accepted.metadata.credential_endpoint)}: credential"
    match fields:
        case {"transaction_id": str(transaction_id), **others}:
            interval = others.get("interval")
            if "credentials" in fields or not isinstance(interval, int) or interval <= 0:
                raise TransportError(f"{where}: the answer is both at once, or has no interval")
            page = others.get(FACE_PAGE)
            raise IssuanceDeferredError(
                f"{where}: the issuer issues later; ask again in {interval} s"
                + ("" if page is None else ", once the holder's face was tested"),
                transaction_id=transaction_id,
                interval_s=min(interval, _MAX_INTERVAL_S),
                face_page=page if isinstance(page, str) else None,
            )
        case {"credentials": [_, *_] as members}:
            pass
        case _:
            raise TransportError(f"{where}: the answer holds no credential")
    if len(members) > len(holder_keys):
        raise TransportError(f"{where}: the answer holds more credentials than keys")
    # The specification knows no order: each credential says itself which key it is bound to.
    by_key: dict[int, ReceivedCredential] = {}
    for member in members:
        place, received = _read_member(accepted, member, holder_keys, now_s, where)
        if place in by_key:
            raise HolderBindingError("the issuer bound two credentials to one key")
        by_key[place] = received
    notification_id = fields.get("notification_id")
    return IssuedCredentials(
        credentials=tuple(by_key[place] for place in sorted(by_key)),
        notification_id=notification_id if isinstance(notification_id, str) else None,
    )


def _read_member(
    accepted: AcceptedOffer, member: JsonValue, keys: Sequence[Key], now_s: int, where: str
) -> tuple[int, ReceivedCredential]:
    if not isinstance(member, dict) or not (credential := member.get("credential")):
        raise TransportError(f"{where}: the answer holds no credential")
    proof = member.get("tegata_inclusion")
    inclusion = None if proof is None else Inclusion.from_json(proof)
    for place, key in enumerate(keys):
        try:
            received = read_received(
                credential,
                credential_format=accepted.credential_format,
                credential_type=accepted.credential_type,
                issuer_url=accepted.metadata.credential_issuer,
                issuer_keys=accepted.issuer_keys,
                holder_key=key,
                now_s=now_s,
            )
        except HolderBindingError:
            continue
        return place, replace(received, inclusion=inclusion)
    raise HolderBindingError("the issuer bound the credential to another key than the wallet's")
