"""The credential formats that are issued, held and verified, by their identifiers."""

from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import CredentialFormatError
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.formats.interface import CredentialFormat as CredentialFormat
from client_sdk.formats.interface import CredentialTerms as CredentialTerms
from client_sdk.formats.interface import ExpectedBinding as ExpectedBinding
from client_sdk.formats.interface import HolderBinding as HolderBinding
from client_sdk.formats.interface import ReadCredential as ReadCredential
from client_sdk.formats.interface import VerifiedPresentation as VerifiedPresentation
from client_sdk.formats.ldp_vc import LdpVc
from client_sdk.formats.vc_jose import JwtVcJson, VcSdJwt

FORMATS: Final[dict[str, CredentialFormat]] = {
    known.identifier: known for known in (DcSdJwt(), VcSdJwt(), JwtVcJson(), LdpVc())
}


def find_format(identifier: str) -> CredentialFormat:
    """Return the format with a Credential Format Identifier.

    Raises:
        CredentialFormatError: It is not known here.
    """
    try:
        return FORMATS[identifier]
    except KeyError:
        raise CredentialFormatError(
            f"the format {identifier!r} is not known; known are {', '.join(FORMATS)}"
        ) from None


def attributes_of(read: ReadCredential) -> JsonObject:
    """Return what a credential says of its holder, by attribute."""
    known = find_format(read.format)
    claims: JsonValue = read.claims
    for step in known.attribute_prefix:
        claims = claims.get(str(step)) if isinstance(claims, dict) else None
    members = claims if isinstance(claims, dict) else {}
    if known.attribute_prefix:
        return {name: value for name, value in members.items() if name != "id"}
    return {name: value for name, value in members.items() if name not in known.own_claims}
