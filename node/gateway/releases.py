"""What a verifier is shown, and when: never before the receipt of the access is on the ledger.

What passed all checks is held in the store with the signed transaction of its receipt. Only when
the ledger has committed that transaction is it released. Whatever dies in between, `settle` goes on
from what the store holds.
"""

from collections.abc import Callable, Iterable
from typing import Final

import structlog

from chaincode.encoding import JsonObject
from client_sdk.checks import Check, VerificationReport, receipt_check
from client_sdk.errors import QueryFailedError, ReceiptRefusedError, TransportError
from client_sdk.ledger.receipts import Access
from client_sdk.openid4vp.grant_offer import GrantOffer
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

    def accept(
        self,
        stored: StoredRequest,
        report: VerificationReport,
        *,
        offer: GrantOffer,
        shown: bytes,
        response_code_sha256: str | None,
    ) -> bool:
        """Take an answer that passed all checks, and show it once its receipt is written.

        Where the ledger cannot be reached the answer is taken all the same; `settle` shows it.

        Args:
            stored: The request.
            report: The checks, the values and the grant.
            offer: What the holder granted.
            shown: What the presentations are known by in the receipt, 32 bytes.
            response_code_sha256: As `StoredRequest` has it.

        Returns:
            Whether it was taken; False where the request takes no answer any more, or the ledger
            refuses the receipt.

        Raises:
            ReceiptRefusedError: No receipt can be made of it; the request still takes answers.
        """
        grant, now_ms = report.grant, self._now_ms()
        if grant is None:
            raise ValueError("a report that was accepted names the grant")
        access = Access(
            grant=grant.id,
            use=1,
            verifier=offer.verifier,
            verifier_name=offer.verifier_name,
            attributes=offer.attributes,
            purpose=offer.purpose,
            seen_at_ms=now_ms,
            shown=shown,
        )
        receipt = self._receipts.prepare(
            access, account=grant.account, receipt_key=grant.receipt_key
        )
        is_held = self._store.hold(
            stored.id,
            now_ms=now_ms,
            result_until_ms=now_ms + self._result_ms,
            checks=checks_fields(report.checks),
            held=report.attributes,
            receipt=receipt,
            response_code_sha256=response_code_sha256,
        )
        if not is_held:
            _log.info("response", request=stored.id, state="too late")
            return False
        return self._settle(stored.id, receipt, checks_fields(report.checks))

    def settle(self) -> None:
        """Go on with what was held when the process died, or the ledger could not be reached."""
        for stored in self._store.held():
            if stored.receipt is not None:
                self._settle(stored.id, stored.receipt, stored.checks or [])

    def _settle(self, request_id: str, receipt: bytes, checks: list[JsonObject]) -> bool:
        """Write a receipt and release what was held for it; False where the ledger refuses it."""
        try:
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
            return True
        self._store.release(
            request_id,
            result_until_ms=self._now_ms() + self._result_ms,
            checks=[*checks, *checks_fields([receipt_check()])],
        )
        _log.info("response", request=request_id, state="accepted")
        return True


def checks_fields(checks: Iterable[Check]) -> list[JsonObject]:
    """Return checks in the form that the store keeps."""
    return [
        {"name": check.name, "passed": check.passed, "detail": check.detail} for check in checks
    ]
