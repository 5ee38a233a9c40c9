"""The forms in which the issuer's credential can be had: its credential configurations."""

from typing import Final

from client_sdk.credentials.jose import EDDSA, Key, algorithm_of
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.credentials.sd_jwt_vc import CredentialSigner, public_key_of
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.formats.ldp_vc import LdpVc
from client_sdk.formats.vc_jose import JwtVcJson, VcSdJwt

CONFIGURATION_ID: Final = "resident"
"""The one that every issuer has."""
_FORMATS: Final = {
    CONFIGURATION_ID: DcSdJwt.identifier,
    "resident_vc_sd_jwt": VcSdJwt.identifier,
    "resident_jwt_vc_json": JwtVcJson.identifier,
    "resident_ldp_vc": LdpVc.identifier,
}


def scope_of(configuration_id: str) -> str:
    """Return what names a configuration in an authorization request (OpenID4VCI 1.0 section 5.1.2).

    The first one's is the credential's type: a token for it is good for every form, as one of a
    pre-authorized code is. The others are named by themselves.
    """
    return RESIDENT_CREDENTIAL_TYPE if configuration_id == CONFIGURATION_ID else configuration_id


def configuration_of(identifier: str) -> str:
    """Return the credential configuration of a token's `credential_identifier`."""
    return identifier.partition(":")[0]


def configurations_of(signing_key: Key | CredentialSigner, *, haip: bool) -> dict[str, str]:
    """Return the format of each configuration that a key can sign, the preferred first.

    Authorities that share a key read what they sign, and read SD-JWT VC alone; `eddsa-jcs-2022`
    needs a key on Ed25519. HAIP 1.0 names no format of W3C credentials.
    """
    if haip or not isinstance(signing_key, Key):
        return {CONFIGURATION_ID: _FORMATS[CONFIGURATION_ID]}
    is_eddsa = algorithm_of(public_key_of(signing_key)) == EDDSA
    return {name: kind for name, kind in _FORMATS.items() if is_eddsa or kind != LdpVc.identifier}
