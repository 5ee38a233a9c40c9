"""What a wallet answers a verifier's request with, once its holder has consented."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, key_from_seed
from client_sdk.errors import NotRegisteredError, RequestError
from client_sdk.formats import HolderBinding, find_format
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.ledger.receipts import receipt_key
from client_sdk.openid4vp.consent_record import sign_consent
from client_sdk.openid4vp.grant_offer import GrantOffer, GrantProof, offers_for
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import Presentation
from client_sdk.openid4vp.standing import Deposit, build_deposit, standing_nonce
from client_sdk.wallet.consent import PendingRequest, SharedCredential
from client_sdk.wallet.records import (
    LedgerAccount,
    StoredCredential,
    StoredGrant,
    StoredPresentation,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedCredential:
    """A credential to show.

    Attributes:
        shown: What of it is shown.
        grant: The grant that it is shown under; None where none is asked for.
        face_test: The attestation of the face test that goes with it; None where none is asked for.
    """

    shown: SharedCredential
    grant: StoredGrant | None
    face_test: str | None = None


def build_grants(
    pending: PendingRequest,
    *,
    account: LedgerAccount | None,
    holder_key: Key,
    now_ms: int,
    face_tests: Mapping[str, str],
) -> tuple[GrantedCredential, ...]:
    """Return what an answer shows, with the grants that are asked for, each with a new opening.

    Args:
        pending: What the holder consented to.
        account: The wallet's account; needed for a grant.
        holder_key: The account's key; it signs the records of the consent.
        now_ms: Milliseconds since 1970, UTC.
        face_tests: Attestations by the credential's record id, where face tests are asked for.

    Raises:
        NotRegisteredError: A grant is asked for, and there is no account.
    """
    granted: list[GrantedCredential] = []
    for shown in pending.shown:
        grant = None
        if shown.offer is not None:
            if account is None:
                raise NotRegisteredError("the wallet has no account yet; register it first")
            grant = _build_grant(
                pending, shown, shown.offer, account=account, holder_key=holder_key, now_ms=now_ms
            )
        face_test = face_tests.get(shown.credential.record_id)
        granted.append(GrantedCredential(shown=shown, grant=grant, face_test=face_test))
    return tuple(granted)


def is_standing(pending: PendingRequest) -> bool:
    """Tell whether the answer is to be sealed to the verifier and left at the gateway."""
    return pending.offer is not None and pending.offer.deposit_key is not None


def build_records(
    pending: PendingRequest,
    granted: Sequence[GrantedCredential],
    *,
    digest: bytes,
    now_ms: int,
) -> tuple[StoredPresentation, ...]:
    """Return what the wallet keeps of an answer, by credential; it is not taken yet.

    Args:
        pending: What the holder consented to.
        granted: As `build_grants` made them.
        digest: By what receipts know the answer.
        now_ms: Milliseconds since 1970, UTC.
    """
    return tuple(
        StoredPresentation(
            verifier=pending.request.request.client_id,
            verifier_name=pending.verifier_name,
            attributes=one.shown.asked,
            purpose=None if pending.offer is None else pending.offer.purpose,
            grant=None if one.grant is None else one.grant.grant_id,
            sent_at_ms=now_ms,
            shown=digest,
            is_taken=False,
            is_deposit=is_standing(pending),
        )
        for one in granted
    )


def build_presentations(
    pending: PendingRequest,
    granted: Sequence[GrantedCredential],
    *,
    account: LedgerAccount | None,
    holder_key: Key,
    receipt_secret: bytes,
    now_ms: int,
) -> dict[str, list[str]]:
    """Return what is shown, as text, by the id of the credential query.

    Every presentation proves its holder, also where the verifier does not ask for it: a copy of one
    that does not could be shown by anybody.

    Args:
        pending: What the holder consented to.
        granted: As `build_grants` made them.
        account: The wallet's account; needed for a grant.
        holder_key: The private key that the credentials are bound to; one-time credentials have
            their own.
        receipt_secret: The wallet's secret that the keys of receipts follow from.
        now_ms: Milliseconds since 1970, UTC.

    Raises:
        NotRegisteredError: There is a grant, and no account.
        HolderBindingError: A credential is bound to another key.
    """
    request = pending.request.request
    presentations: dict[str, list[str]] = {}
    for one in granted:
        claims: JsonObject = {}
        if one.grant is not None:
            if account is None:
                raise NotRegisteredError("the wallet has no account yet; register it first")
            proof = _proof(one, one.grant, account, receipt_secret)
            claims = proof.to_claims(offers_for(request.transaction_data, one.shown.query_id))
        presentation = find_format(one.shown.credential.format).present(
            one.shown.credential.text,
            paths=one.shown.paths,
            holder_key=_key_of(one.shown.credential, holder_key),
            binding=HolderBinding(
                audience=request.client_id,
                nonce=_nonce(one, request),
                issued_at=now_ms // 1000,
                extra_claims=claims,
            ),
        )
        presentations.setdefault(one.shown.query_id, []).append(presentation)
    return presentations


def presentations_to_wire(
    presentations: Mapping[str, Sequence[str]], request: PresentationRequest
) -> dict[str, list[Presentation]]:
    """Return presentations as they travel in a `vp_token` (OpenID4VP 1.0 section 8.1).

    Args:
        presentations: As `build_presentations` made them.
        request: What they answer; it says their formats.
    """
    return {
        query.id: [find_format(query.format).to_wire(text) for text in presentations[query.id]]
        for query in request.query.credentials
        if query.id in presentations
    }


def build_standing_deposit(
    pending: PendingRequest,
    granted: Sequence[GrantedCredential],
    presentations: Mapping[str, Sequence[str]],
    *,
    account: LedgerAccount,
    holder_key: Key,
    receipt_secret: bytes,
    now_ms: int,
) -> Deposit:
    """Return what the wallet leaves at the gateway for a standing grant.

    Args:
        pending: What the holder consented to, for one credential.
        granted: As `build_grants` made it.
        presentations: As `build_presentations` made it.
        account: The wallet's account.
        holder_key: A signatory of it.
        receipt_secret: The wallet's secret that the keys of receipts follow from.
        now_ms: Milliseconds since 1970, UTC.

    Raises:
        RequestError: The request asks for several credentials.
        DepositError: The presentation is too long.
        KeyFormatError: The verifier's key cannot be sealed to.
    """
    shown = [text for texts in presentations.values() for text in texts]
    if len(granted) != 1 or len(shown) != 1:
        raise RequestError("the verifier asks for a standing grant of several credentials at once")
    (one,) = granted
    if one.grant is None or one.shown.offer is None:
        raise RequestError("the verifier asks for no grant")
    return build_deposit(
        shown[0],
        offer=one.shown.offer,
        proof=_proof(one, one.grant, account, receipt_secret),
        request=pending.request.request,
        holder_key=holder_key,
        issued_at=now_ms // 1000,
    )


def _key_of(credential: StoredCredential, holder_key: Key) -> Key:
    return holder_key if credential.seed is None else key_from_seed(credential.seed)


def _build_grant(
    pending: PendingRequest,
    shown: SharedCredential,
    offer: GrantOffer,
    *,
    account: LedgerAccount,
    holder_key: Key,
    now_ms: int,
) -> StoredGrant:
    grant_id = new_record_id()
    (terms,) = offers_for(pending.request.request.transaction_data, shown.query_id)
    return StoredGrant(
        grant_id=grant_id,
        verifier_name=offer.verifier_name,
        terms=offer.terms(shown.credential.record_id, shown.asked),
        gateway=offer.gateway,
        granted_at_ms=now_ms,
        expires_at_ms=offer.expires_at_ms,
        uses=offer.uses,
        opening=new_salt(),
        consent=sign_consent(
            terms,
            grant=grant_id,
            account=account.account_id,
            attributes=shown.asked,
            holder_key=holder_key,
            given_at_s=now_ms // 1000,
        ),
        request_object=pending.request.token,
    )


def _proof(
    one: GrantedCredential, grant: StoredGrant, account: LedgerAccount, receipt_secret: bytes
) -> GrantProof:
    return GrantProof(
        ledger=account.ledger_id,
        account=account.account_id,
        grant=grant.grant_id,
        receipt_key=receipt_key(receipt_secret, grant.grant_id).public_bytes,
        opening=grant.opening,
        inclusion=one.shown.credential.inclusion,
        consent=grant.consent,
        face=one.face_test,
    )


def _nonce(one: GrantedCredential, request: PresentationRequest) -> str:
    offer = one.shown.offer
    if one.grant is None or offer is None or offer.deposit_key is None:
        return request.nonce
    return standing_nonce(one.grant.grant_id)
