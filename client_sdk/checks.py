"""The checks of a presentation, in words for the person at the counter, and a verifier's result."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from chaincode.encoding import JsonObject

CHECKS: Final = {
    "presentation": (
        "The wallet's answer is a well-formed presentation.",
        "The wallet's answer cannot be read",
    ),
    "issuer_signature": (
        "The issuer's signature on the credential is genuine.",
        "The credential was not signed by the issuer that it names",
    ),
    "issuer_trusted": (
        "The issuer is registered for this kind of credential.",
        "The issuer is not registered for this kind of credential",
    ),
    "disclosures": (
        "What is shown belongs to the credential and was not changed.",
        "What is shown does not belong to the credential, or was changed",
    ),
    "validity": (
        "Credential and answer are within their time.",
        "The credential or the answer is not valid at this time",
    ),
    "holder_binding": (
        "The holder signed this answer, for this verifier and these terms.",
        "The holder did not sign this answer for this verifier and these terms",
    ),
    "nonce": (
        "The answer is to this request and no other.",
        "The answer belongs to another request",
    ),
    "request_match": (
        "The holder shows what was asked for, and nothing more.",
        "The holder shows something else than was asked for",
    ),
    "anchor": (
        "The issuer's record of this credential is on the ledger.",
        "The ledger does not know this credential",
    ),
    "status_list": (
        "The issuer's status list is at hand, and is the one that the ledger names.",
        "The issuer's status list cannot be had, or is not the one that the ledger names",
    ),
    "status": (
        "The credential is neither suspended nor revoked.",
        "The credential is no longer good",
    ),
    "holder_key": (
        "The holder's key still belongs to the holder's account.",
        "The holder's key does not belong to the holder's account",
    ),
    "recovery": (
        "No recovery of the holder's account is open.",
        "The holder's account is being recovered, and shows nothing meanwhile",
    ),
    "grant": (
        "The holder granted this on the ledger, and the grant is in force.",
        "There is no grant of the holder that is in force for this",
    ),
}
"""The checks in their order, and what each says when it passes and when it fails."""
FACE: Final = (
    "The holder passed a face test for this, by a service that is trusted.",
    "The holder has not passed the face test that is asked for",
)
"""What the check `face` says: it is made before `grant`, where a request demands a face test."""
RECEIPT: Final = (
    "The access stands on the holder's own record.",
    "The access cannot be put on the holder's record, so nothing is shown",
)
"""What the check `receipt` says: the gateway makes it last, after all of `CHECKS`."""
_CHECKS_WITH_FACE: Final = {
    name: words
    for known, own_words in CHECKS.items()
    for name, words in ((("face", FACE),) if known == "grant" else ()) + ((known, own_words),)
}
HOLDER_CHECKS: Final = frozenset({"holder_binding", "nonce", "holder_key", "recovery", "grant"})
"""The checks that are waived where a request asks for no proof of the holder."""
_WAIVED: Final = "Not checked, since the request asks for no proof of the holder."
_WITHOUT_FACE: Final = "Not checked, since no face test is asked for with this credential."
_NOT_REACHED: Final = "Not checked, since an earlier check failed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a presentation.

    Attributes:
        name: One of `CHECKS`, `face` or `receipt`.
        passed: None where it was not reached, or waived by the request.
        detail: A sentence for the person at the counter.
    """

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedGrant:
    """The grant that something is shown under.

    Attributes:
        id: Its record id, 32 hex digits.
        account: The holder's account.
        attributes: The combination of claims that it is for, sorted.
        receipt_key: What the receipt of the access is sealed to, 32 bytes.
        consent: The holder's signed record of the consent, a JWT; None where there is none.
    """

    id: str
    account: str
    attributes: tuple[tuple[str | int | None, ...], ...]
    receipt_key: bytes
    consent: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAttributes:
    """What is now known of a holder, by one credential.

    Attributes:
        query_id: The credential query that it answers.
        attributes: The values, by the name of the attribute.
        credential_type: The credential's `vct`.
        issuer: The issuer's ledger account.
        grant: The holder's grant; None where the request asks for no proof of the holder.
        checks: All checks; each passed, or was waived by the request.
    """

    query_id: str
    attributes: JsonObject = field(repr=False)
    credential_type: str
    issuer: str
    grant: UsedGrant | None
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """The result of a verification, whichever way it went.

    Attributes:
        accepted: Whether all checks passed.
        checks: Every check, in order.
        attributes: The values of all credentials, by the name of the attribute; None unless
            accepted. Where two credentials have the same, the first one's stands there.
        credentials: What each credential proves; empty unless accepted.
    """

    accepted: bool
    checks: tuple[Check, ...]
    attributes: JsonObject | None = field(default=None, repr=False)
    credentials: tuple[VerifiedAttributes, ...] = ()


def receipt_check(refusal: str | None = None) -> Check:
    """Return the check `receipt`.

    Args:
        refusal: What was wrong; None where the receipt is on the ledger.
    """
    meaning, failure = RECEIPT
    if refusal is None:
        return Check(name="receipt", passed=True, detail=meaning)
    return Check(name="receipt", passed=False, detail=f"{failure}: {refusal.rstrip('.')}.")


def list_checks(
    passed: Collection[str],
    *,
    failed: str | None = None,
    reason: str = "",
    waived: Collection[str] = (),
    with_face: bool = False,
) -> tuple[Check, ...]:
    """Return every check, in order.

    Args:
        passed: The names of those that passed.
        failed: The name of the one that failed, if any.
        reason: What exactly was wrong; no value of an attribute.
        waived: The names of those that the request does not ask for.
        with_face: Whether the request demands a face test with any credential.
    """
    checks: list[Check] = []
    for name, (meaning, failure) in (_CHECKS_WITH_FACE if with_face else CHECKS).items():
        if name == failed:
            detail = f"{failure}: {reason.rstrip('.')}."
            checks.append(Check(name=name, passed=False, detail=detail))
        elif name in passed:
            checks.append(Check(name=name, passed=True, detail=meaning))
        else:
            detail = _NOT_REACHED
            if name in waived:
                detail = _WITHOUT_FACE if name == "face" else _WAIVED
            checks.append(Check(name=name, passed=None, detail=detail))
    return tuple(checks)
