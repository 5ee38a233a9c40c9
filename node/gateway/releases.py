"""What a verifier is shown, and when: never before the receipt of the access is on the ledger.

What passed all checks is held in the store with the signed transaction of its receipt. Only when
the ledger has committed that transaction is it released. Whatever dies in between, `settle` goes on
from what the store holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog

from chaincode.encoding import JsonObject
from client_sdk.checks import (
    Check,
    UsedGrant,
    VerificationReport,
    VerifiedAttributes,
    receipt_check,
)
from client_sdk.errors import QueryFailedError, ReceiptRefusedError, TransportError
from client_sdk.ledger.receipts import Access
from client_sdk.openid4vp.grant_offer import GrantOffer, encode_grant_offer
from node.gateway.receipts import Receipts
from node.gateway.store import RequestStore, StoredRequest

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.gateway")


class Releases:
    """Holds what was verified, writes its receipt, then shows it."""

    def __init__(
        self,
        store: RequestStore,
        receipts: Receipts,
        *,
        result_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            store: Where requests are kept.
            receipts: What writes receipts.
            result_ms: How long a verifier can read values, in milliseconds.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._receipts = receipts
        self._result_ms = result_ms
        self._now_ms = now_ms
        # The requests whose answers this process is taking at this moment.
        self._under_way: set[str] = set()

    def accept(
        self,
        stored: StoredRequest,
        report: VerificationReport,
        *,
        offers: Sequence[GrantOffer],
        shown: bytes,
        response_code_sha256: str | None,
    ) -> bool:
        """Take an answer that passed all checks, and show it once its receipts are written.

        Where the ledger cannot be reached the answer is taken all the same; `settle` shows it.

        Args:
            stored: The request.
            report: The checks, and what each credential proves, under which grant.
            offers: What the holder granted.
            shown: What the presentations are known by in the receipts, 32 bytes.
            response_code_sha256: As `StoredRequest` has it.

        Returns:
            Whether it was taken; False where the request takes no answer any more, or the ledger
            refuses the receipts.

        Raises:
            ReceiptRefusedError: No receipt can be made of it; the request still takes answers.
        """
        now_ms = self._now_ms()
        terms = {offer.query_id: offer for offer in offers}
        due: list[tuple[Access, UsedGrant]] = []
        for credential in report.credentials:
            if credential.grant is not None:
                offer = terms[credential.query_id]
                access = Access(
                    grant=credential.grant.id,
                    use=1,
                    verifier=offer.verifier,
                    verifier_name=offer.verifier_name,
                    attributes=credential.grant.attributes,
                    purpose=offer.purpose,
                    seen_at_ms=now_ms,
                    shown=shown,
                )
                due.append((access, credential.grant))
        receipt = self._receipts.prepare(due) if due else None
        self._under_way.add(stored.id)
        try:
            return self._hold(
                stored, report, terms, receipt=receipt, response_code_sha256=response_code_sha256
            )
        finally:
            self._under_way.discard(stored.id)

    def _hold(
        self,
        stored: StoredRequest,
        report: VerificationReport,
        terms: Mapping[str, GrantOffer],
        *,
        receipt: bytes | None,
        response_code_sha256: str | None,
    ) -> bool:
        now_ms = self._now_ms()
        is_held = self._store.hold(
            stored.id,
            now_ms=now_ms,
            result_until_ms=now_ms + self._result_ms,
            checks=checks_fields(report.checks),
            held=report.attributes,
            credentials=[
                _credential_fields(credential, terms.get(credential.query_id))
                for credential in report.credentials
            ],
            receipt=receipt,
            response_code_sha256=response_code_sha256,
        )
        if not is_held:
            _log.info("response", request=stored.id, state="too late")
            return False
        return self._settle(stored.id, receipt, checks_fields(report.checks)) is not False

    def settle(self) -> None:
        """Go on with what was held when the process died, or the ledger could not be reached."""
        for stored in self._store.held():
            if stored.id in self._under_way:
                continue
            if self._settle(stored.id, stored.receipt, stored.checks or []) is None:
                # The others would wait as long, one after the other.
                return

    def _settle(
        self, request_id: str, receipt: bytes | None, checks: list[JsonObject]
    ) -> bool | None:
        """Write receipts and release what was held for them.

        Returns:
            Whether the ledger takes them, or may yet; None where it cannot be reached.
        """
        written = [] if receipt is None else [receipt_check()]
        try:
            if receipt is not None:
                self._receipts.write(receipt)
        except ReceiptRefusedError as error:
            refused = [*checks, *checks_fields([receipt_check(str(error))])]
            self._store.drop(
                request_id, result_until_ms=self._now_ms() + self._result_ms, checks=refused
            )
            _log.warning("response", request=request_id, state="refused", failed=["receipt"])
            return False
        except (TransportError, QueryFailedError) as error:
            _log.error("receipt_waits", request=request_id, error=type(error).__name__)
            return None if isinstance(error, TransportError) else True
        self._store.release(
            request_id,
            result_until_ms=self._now_ms() + self._result_ms,
            checks=[*checks, *checks_fields(written)],
        )
        _log.info("response", request=request_id, state="accepted")
        return True


def _credential_fields(credential: VerifiedAttributes, offer: GrantOffer | None) -> JsonObject:
    return {
        "query_id": credential.query_id,
        "credential_type": credential.credential_type,
        "issuer": credential.issuer,
        "grant": None if credential.grant is None else credential.grant.id,
        "terms": None if offer is None else encode_grant_offer(offer),
        "consent": None if credential.grant is None else credential.grant.consent,
        "attributes": credential.attributes,
    }


def checks_fields(checks: Iterable[Check]) -> list[JsonObject]:
    """Return checks in the form that the store keeps."""
    return [
        {"name": check.name, "passed": check.passed, "detail": check.detail} for check in checks
    ]
