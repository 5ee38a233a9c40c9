"""What a wallet answers a verifier's request with, once its holder has consented."""

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key
from client_sdk.credentials.sd_jwt_vc import present_credential
from client_sdk.errors import NotRegisteredError
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.openid4vp.grant_offer import GrantOffer, GrantProof
from client_sdk.openid4vp.response import build_response
from client_sdk.wallet.consent import PendingRequest
from client_sdk.wallet.wallet_records import LedgerAccount, StoredCredential, StoredGrant


def build_grant(offer: GrantOffer, credential: StoredCredential, *, now_ms: int) -> StoredGrant:
    """Return the grant that an offer asks for, with a new opening."""
    return StoredGrant(
        grant_id=new_record_id(),
        verifier_name=offer.verifier_name,
        terms=offer.terms(credential.record_id),
        gateway=offer.gateway,
        granted_at_ms=now_ms,
        expires_at_ms=offer.expires_at_ms,
        opening=new_salt(),
    )


def build_answer_form(
    pending: PendingRequest,
    grant: StoredGrant | None,
    *,
    account: LedgerAccount | None,
    holder_key: Key,
    now_ms: int,
) -> dict[str, str]:
    """Return the response's form fields (OpenID4VP 1.0 section 8.1).

    Args:
        pending: What the holder consented to.
        grant: The grant that it is shown under; None where none was asked for.
        account: The wallet's account; needed for a grant.
        holder_key: The private key that the credential is bound to.
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
    return build_response({query_id: [presentation]}, request=request)
