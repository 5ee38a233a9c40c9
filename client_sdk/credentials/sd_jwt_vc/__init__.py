"""SD-JWT VC: credentials issued, received, presented, verified (draft-ietf-oauth-sd-jwt-vc-18)."""

from client_sdk.credentials.sd_jwt_vc.holding import HeldCredential as HeldCredential
from client_sdk.credentials.sd_jwt_vc.holding import VerifiedCredential as VerifiedCredential
from client_sdk.credentials.sd_jwt_vc.holding import disclose_credential as disclose_credential
from client_sdk.credentials.sd_jwt_vc.holding import parse_credential as parse_credential
from client_sdk.credentials.sd_jwt_vc.holding import present_credential as present_credential
from client_sdk.credentials.sd_jwt_vc.holding import verify_credential as verify_credential
from client_sdk.credentials.sd_jwt_vc.issuance import CredentialSigner as CredentialSigner
from client_sdk.credentials.sd_jwt_vc.issuance import issue_credential as issue_credential
from client_sdk.credentials.sd_jwt_vc.issuance import public_key_of as public_key_of
from client_sdk.credentials.sd_jwt_vc.parsing import CREDENTIAL_TYP as CREDENTIAL_TYP
from client_sdk.credentials.sd_jwt_vc.parsing import anchor_hash as anchor_hash
from client_sdk.credentials.sd_jwt_vc.verification import FindIssuerKey as FindIssuerKey
from client_sdk.credentials.sd_jwt_vc.verification import (
    VerifiedPresentation as VerifiedPresentation,
)
from client_sdk.credentials.sd_jwt_vc.verification import verify_presentation as verify_presentation
