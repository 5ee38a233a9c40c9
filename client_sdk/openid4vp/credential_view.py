"""Credentials of each format as a query of DCQL sees them."""

import base64
import binascii
from typing import Final

from cryptography import x509

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.formats import ReadCredential, VerifiedPresentation
from client_sdk.openid4vp.dcql_query import AKI, LEDGER_AUTHORITY
from client_sdk.openid4vp.dcql_selection import CredentialView
from client_sdk.strict_json import text_list

_MAX_CERTIFICATES: Final = 8


def view_held(credential: ReadCredential) -> CredentialView:
    """Return the view of a credential in a wallet; nothing of it is verified."""
    return _view(credential, is_bound=credential.holder_key is not None)


def view_presented(presentation: VerifiedPresentation) -> CredentialView:
    """Return the view of a verified presentation."""
    return _view(presentation, is_bound=bool(presentation.binding))


def _view(credential: ReadCredential, *, is_bound: bool) -> CredentialView:
    return CredentialView(
        format=credential.format,
        types=credential.types,
        claims=credential.claims,
        disclosed_paths=credential.disclosed_paths,
        authorities=_authorities_of(credential.header, credential.claims),
        is_bound=is_bound,
        identity=credential.anchored_hash.hex(),
    )


def _authorities_of(header: JsonObject, claims: JsonObject) -> frozenset[tuple[str, str]]:
    """Return who vouches for the issuer: by certificates in the header, and by the ledger."""
    found = {(AKI, value) for value in _key_identifiers(header)}
    place = claims.get(PLACE_CLAIM)
    ledger = place.get("ledger") if isinstance(place, dict) else None
    if isinstance(ledger, str):
        found.add((LEDGER_AUTHORITY, ledger))
    return frozenset(found)


def _key_identifiers(header: JsonObject) -> list[str]:
    """Return the authority key identifiers of the certificates in `x5c`, in base64url."""
    identifiers: list[str] = []
    for text in text_list(header.get("x5c"))[:_MAX_CERTIFICATES]:
        try:
            certificate = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
            extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
        except (binascii.Error, ValueError, x509.ExtensionNotFound, x509.InvalidVersion):
            continue
        if extension.value.key_identifier is not None:
            identifiers.append(encode_base64url(extension.value.key_identifier))
    return identifiers
