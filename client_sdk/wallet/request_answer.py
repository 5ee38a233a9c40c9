"""What a wallet answers a verifier's request with, once its holder has consented."""

from collections.abc import Mapping, Sequence

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key
from client_sdk.credentials.sd_jwt_vc import present_credential
from client_sdk.errors import NotRegisteredError
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.ledger.receipts import digest_shown, receipt_key
from client_sdk.openid4vp.grant_offer import GrantOffer, GrantProof
from client_sdk.wallet.consent import PendingRequest
from client_sdk.wallet.wallet_records import (
    LedgerAccount,
    StoredCredential,
    StoredGrant,
    StoredPresentation,
)


def build_grant(offer: GrantOffer, credential: StoredCredential, *, now_ms: int) -> StoredGrant:
    """Return the grant that an offer asks for, with a new opening."""
    return StoredGrant(
        grant_id=new_record_id(),
        verifier_name=offer.verifier_name,
        terms=offer.terms(credential.record_id),
        gateway=offer.gateway,
        granted_at_ms=now_ms,
        expires_at_ms=offer.expires_at_ms,
        uses=offer.uses,
        opening=new_salt(),
    )


def build_record(
    pending: PendingRequest,
    grant: StoredGrant | None,
    presentations: Mapping[str, Sequence[str]],
    *,
    now_ms: int,
) -> StoredPresentation:
    """Return what the wallet keeps of an answer; its verifier has not taken it yet."""
    return StoredPresentation(
        verifier=pending.request.request.client_id,
        verifier_name=pending.verifier_name,
        attributes=tuple(tuple(map(str, path)) for path in pending.paths),
        purpose=None if pending.offer is None else pending.offer.purpose,
        grant=None if grant is None else grant.grant_id,
        sent_at_ms=now_ms,
        shown=digest_shown(presentations),
        is_taken=False,
    )


def build_presentations(
    pending: PendingRequest,
    grant: StoredGrant | None,
    *,
    account: LedgerAccount | None,
    holder_key: Key,
    receipt_secret: bytes,
    now_ms: int,
) -> dict[str, list[str]]:
    """Return what is shown, by the id of the credential query (OpenID4VP 1.0 section 8.1).

    Args:
        pending: What the holder consented to.
        grant: The grant that it is shown under; None where none was asked for.
        account: The wallet's account; needed for a grant.
        holder_key: The private key that the credential is bound to.
        receipt_secret: The wallet's secret that the keys of receipts follow from.
        now_ms: Milliseconds since 1970, UTC.

    Raises:
        NotRegisteredError: There is a grant, and no account.
        HolderBindingError: The credential is bound to another key.
    """
    request = pending.request.request
    claims: JsonObject = {}
    if grant is not None:
        if account is None:
            raise NotRegisteredError("the wallet has no account yet; register it first")
        proof = GrantProof(
            ledger=account.ledger_id,
            account=account.account_id,
            grant=grant.grant_id,
            receipt_key=receipt_key(receipt_secret, grant.grant_id).public_bytes,
            opening=grant.opening,
            inclusion=pending.credential.inclusion,
        )
        claims = proof.to_claims(request.transaction_data)
    presentation = present_credential(
        pending.credential.sd_jwt,
        paths=pending.paths,
        holder_key=holder_key,
        audience=request.client_id,
        nonce=request.nonce,
        issued_at=now_ms // 1000,
        extra_claims=claims,
    )
    query_id = request.query.credentials[0].id
    return {query_id: [presentation]}
