"""Whether a face test of this holder comes with a presentation, as its request demands."""

from collections.abc import Mapping
from typing import Final

from client_sdk.credentials.jose import Key, parse_public_jwk, thumbprint
from client_sdk.errors import AttestationError, FaceError
from client_sdk.face.attestation import verify_attestation, verify_recent_attestation
from client_sdk.face.demand import PRESENTATION_PURPOSE, FaceDemand, presentation_hash
from client_sdk.face.portrait import portrait_commitments
from client_sdk.formats import VerifiedPresentation, find_format
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.formats.vc_jose import VcSdJwt
from client_sdk.openid4vp.grant_offer import GrantProof
from client_sdk.openid4vp.request_object import PresentationRequest

SELECTIVE_FORMATS: Final = frozenset({DcSdJwt.identifier, VcSdJwt.identifier})
"""The formats whose issuers sign a digest of the portrait that tells nothing of it."""


def check_face(
    proof: GrantProof,
    demand: FaceDemand,
    *,
    keys: Mapping[str, Key],
    request: PresentationRequest,
    terms: str,
    presentation: str,
    verified: VerifiedPresentation,
    now_s: int,
) -> None:
    """Check the attestation that the holder signed into a presentation.

    The face was compared with a portrait that the credential's issuer signed the digest of.

    Args:
        proof: What the holder signed.
        demand: What the request asks for.
        keys: The keys of the face services that are trusted, by name.
        request: The request.
        terms: The element of its transaction data that the demand stands in.
        presentation: The presentation, as text.
        verified: What it says.
        now_s: Seconds since 1970, UTC.

    Raises:
        FaceError: There is none, or it is of another service, request, person or time.
    """
    if proof.face is None:
        raise FaceError("none came with the answer")
    named = {service.name for service in demand.services}
    trusted = {name: key for name, key in keys.items() if name in named}
    prefix = find_format(verified.format).attribute_prefix
    portraits = portrait_commitments(presentation, prefix)
    try:
        if demand.max_age_s is None:
            verify_attestation(
                proof.face,
                keys=trusted,
                expected_audience=request.client_id,
                expected_purpose=PRESENTATION_PURPOSE,
                expected_account=proof.account,
                expected_request_hash=presentation_hash(
                    client_id=request.client_id, nonce=request.nonce, terms=terms
                ),
                expected_portraits=portraits,
                now_s=now_s,
            )
        else:
            verify_recent_attestation(
                proof.face,
                keys=trusted,
                expected_audience=request.client_id,
                expected_purpose=PRESENTATION_PURPOSE,
                expected_account=proof.account,
                expected_holder_key=thumbprint(parse_public_jwk(verified.holder_key or {})),
                expected_portraits=portraits,
                max_age_s=demand.max_age_s,
                now_s=now_s,
            )
    except AttestationError as error:
        raise FaceError(str(error)) from None
