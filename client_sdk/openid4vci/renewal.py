"""A credential issued anew to the account's new key, by its issuer (OpenID4VCI 1.0, RFC 7523).

The issuer keeps no attributes: the wallet shows it the old credential, which it signed itself.
"""

from client_sdk.credentials.jose import Key
from client_sdk.errors import OfferError
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.account_assertion import (
    JWT_BEARER,
    REPLACED_CREDENTIAL,
    sign_account_assertion,
)
from client_sdk.openid4vci.authorization import details_of
from client_sdk.openid4vci.client import request_credentials
from client_sdk.openid4vci.issuer_answers import fetch_metadata, host_of
from client_sdk.openid4vci.issuer_channel import NO_PROOFS, WalletProofs
from client_sdk.openid4vci.key_attestation import KeyAttester
from client_sdk.openid4vci.received_credential import ReceivedCredential
from client_sdk.openid4vci.token_client import fetch_nonce, redeem_grant
from client_sdk.strict_json import encode_json


def renew_credential(
    credential: str,
    *,
    issuer_url: str,
    credential_type: str,
    credential_format: str = DcSdJwt.identifier,
    holder_key: Key,
    account: str,
    proofs: WalletProofs = NO_PROOFS,
    attest_keys: KeyAttester | None = None,
    now_ms: int,
    http: HttpClient,
) -> ReceivedCredential:
    """Have a credential revoked and issued anew, bound to another key of the same account.

    Args:
        credential: The old credential, with all its disclosures; the issuer alone is shown it.
        issuer_url: The issuer's identifier, as the old credential names it (`iss`).
        credential_type: Its `vct`, or its type beside `VerifiableCredential`.
        credential_format: The identifier of its format.
        holder_key: The private key that the new one is to be bound to, a signatory of the account.
        account: The ledger account that the old credential names.
        proofs: What the wallet proves itself by.
        attest_keys: Has the wallet's provider vouch for the key, where the issuer demands that.
        now_ms: Milliseconds since 1970, UTC.
        http: The session.

    Raises:
        OfferError: The issuer refused, or issues nothing anew.
        VerificationError: The new credential is not signed by the issuer, or not for this key.
        CredentialFormatError: The new credential is not well formed.
        TransportError: The issuer or its ledger cannot be reached: ask again. The old credential
            may be revoked by then; the issuer knows that it owes a new one.
    """
    metadata = fetch_metadata(issuer_url, http=http, trust=proofs.trust)
    name = next(
        (
            name
            for name, configuration in metadata.configurations.items()
            if configuration.credential_type == credential_type
            and configuration.format == credential_format
        ),
        None,
    )
    nonce = fetch_nonce(metadata, http)
    if name is None or nonce is None or metadata.authorization_servers:
        raise OfferError(f"{host_of(issuer_url)}: this issuer issues no such credential anew")
    assertion = sign_account_assertion(
        holder_key=holder_key,
        account=account,
        issuer_url=issuer_url,
        nonce=nonce,
        now_s=now_ms // 1000,
    )
    accepted = redeem_grant(
        {
            "grant_type": JWT_BEARER,
            "assertion": assertion,
            REPLACED_CREDENTIAL: credential,
            "authorization_details": encode_json([details_of(name)]).decode("utf-8"),
        },
        metadata=metadata,
        server_url=issuer_url,
        configuration_ids=(name,),
        credential_format=credential_format,
        proofs=proofs,
        http=http,
    )
    issued = request_credentials(
        accepted,
        holder_keys=(holder_key,),
        account=account,
        attest_keys=attest_keys,
        now_ms=now_ms,
        http=http,
    )
    return issued.credentials[0]
