"""The face tests that a verifier demands with a presentation: made, or taken from the last time."""

from typing import Final

from client_sdk.credentials.jose import key_from_seed, parse_compact, thumbprint
from client_sdk.errors import ClientError, RequestError
from client_sdk.face.client import NewTest
from client_sdk.face.demand import (
    PRESENTATION_PURPOSE,
    FaceDemand,
    FaceTester,
    presentation_hash,
)
from client_sdk.face.portrait import PortraitOpening
from client_sdk.openid4vp.grant_offer import offers_for
from client_sdk.strict_json import JsonFields
from client_sdk.wallet.consent import PendingRequest, SharedCredential
from client_sdk.wallet.session import WalletSession

_MARGIN_S: Final = 60
"""For so long a kept attestation must be good yet, in seconds."""


def have_faces_tested(
    session: WalletSession, pending: PendingRequest, tester: FaceTester | None
) -> dict[str, str]:
    """Return the attestations that an answer needs, by the credential's record id.

    Args:
        session: The wallet.
        pending: What the holder consented to.
        tester: Has the holder's face tested; None where the application cannot.

    Raises:
        RequestError: A test is demanded, and nobody can make one.
        CredentialFormatError: The credential holds no portrait that a face is compared with.
        ClientError: What the tester raises.
    """
    attestations: dict[str, str] = {}
    for shown in pending.shown:
        demand = None if shown.offer is None else shown.offer.face
        if demand is not None:
            attestations[shown.credential.record_id] = _attestation(
                session, pending, shown, demand, tester
            )
    return attestations


def _attestation(
    session: WalletSession,
    pending: PendingRequest,
    shown: SharedCredential,
    demand: FaceDemand,
    tester: FaceTester | None,
) -> str:
    new = _new_test(session, pending, shown, demand)
    if demand.max_age_s is not None:
        kept = session.contents.face_tests.get(new.audience)
        now_s = session.now_ms() // 1000
        if kept is not None and _is_good(kept, new, max_age_s=demand.max_age_s, now_s=now_s):
            return kept
    if tester is None:
        raise RequestError("the verifier demands a face test, and this application makes none")
    attestation = tester(demand.services[0], new)
    if demand.max_age_s is not None:
        session.update(lambda contents: contents.with_face_test(new.audience, attestation))
    return attestation


def _new_test(
    session: WalletSession, pending: PendingRequest, shown: SharedCredential, demand: FaceDemand
) -> NewTest:
    request, credential = pending.request.request, shown.credential
    request_hash = holder_key = None
    if demand.max_age_s is None:
        (terms,) = offers_for(request.transaction_data, shown.query_id)
        request_hash = presentation_hash(
            client_id=request.client_id, nonce=request.nonce, terms=terms
        )
    else:
        own = session.holder_key if credential.seed is None else key_from_seed(credential.seed)
        holder_key = thumbprint(own)
    return NewTest(
        audience=request.client_id,
        purpose=PRESENTATION_PURPOSE,
        account=session.account.account_id,
        portrait=PortraitOpening.of_credential(credential.text),
        request_hash=request_hash,
        holder_key=holder_key,
    )


def _is_good(attestation: str, new: NewTest, *, max_age_s: int, now_s: int) -> bool:
    """Tell whether a kept attestation says what a new one would, and will not be too old soon.

    It is the wallet's own: the verifier is the one who checks it.
    """
    try:
        claims = parse_compact(attestation).unverified_payload
        fields = JsonFields(claims, what="the kept face test", error=RequestError)
        found = (
            fields.text("account"),
            fields.text("portrait_commitment"),
            fields.member("cnf").text("jkt"),
        )
        until_s = min(fields.whole("exp"), fields.whole("iat") + max_age_s)
        expected = (new.account, new.portrait.commitment, new.holder_key)
        return found == expected and now_s + _MARGIN_S < until_s
    except ClientError:
        return False
