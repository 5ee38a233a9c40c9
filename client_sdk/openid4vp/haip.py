"""The OpenID4VC High Assurance Interoperability Profile 1.0, for presentations by redirects.

What sections 5 and 5.1 of the profile demand beyond OpenID4VP 1.0, on both sides.
"""

from typing import Final

from cryptography import x509

from client_sdk.credentials.jwe import CONTENT_ALGORITHMS
from client_sdk.errors import RequestError
from client_sdk.openid4vp.client_identifier import X509_HASH, RequestAuthor
from client_sdk.openid4vp.dcql_query import SD_JWT_VC
from client_sdk.openid4vp.request_object import PresentationRequest

FORMATS: Final = (SD_JWT_VC, "mso_mdoc")


def check_author(author: RequestAuthor, trust_anchors: tuple[x509.Certificate, ...]) -> None:
    """Check that a request is signed as the profile demands (section 5).

    Args:
        author: Who sent it.
        trust_anchors: The authorities that certify verifiers.

    Raises:
        RequestError: It is not; the text says how.
    """
    if author.client_id.prefix != X509_HASH:
        raise RequestError(f"HAIP: client_id has the prefix {X509_HASH}")
    check_chain(author.chain)
    if any(certificate in trust_anchors for certificate in author.chain):
        raise RequestError("HAIP: x5c holds the certificate of the trust anchor")
    if not author.is_anchored:
        raise RequestError("HAIP: x5c leads to no authority that this wallet trusts")


def check_chain(chain: tuple[x509.Certificate, ...]) -> None:
    """Check that no certificate of a verifier's chain vouches for itself (section 5).

    Raises:
        RequestError: The first, which signs, is self-signed, or another is and so is an anchor.
    """
    if _is_self_issued(chain[0]):
        raise RequestError("HAIP: the certificate that signs the request is self-signed")
    if any(_is_self_issued(certificate) for certificate in chain):
        raise RequestError("HAIP: x5c holds the certificate of a trust anchor")


def check_request(request: PresentationRequest) -> None:
    """Check that a request asks as the profile demands (sections 5, 5.1 and 5.3).

    Raises:
        RequestError: It does not; the text says how.
    """
    encryption = request.encryption
    if encryption is None:
        raise RequestError("HAIP: response_mode is direct_post.jwt")
    if set(encryption.content_algorithms) != set(CONTENT_ALGORITHMS):
        raise RequestError(
            "HAIP: encrypted_response_enc_values_supported lists "
            f"{' and '.join(CONTENT_ALGORITHMS)}"
        )
    for query in request.query.credentials:
        if query.format not in FORMATS:
            raise RequestError(f"HAIP: query {query.id} asks for the format {query.format}")


def _is_self_issued(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject
