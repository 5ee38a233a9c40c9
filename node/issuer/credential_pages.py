"""At the counter: credentials that were issued, their suspension and revocation, batches."""

import re
from typing import Final

import structlog
from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from node.errors import ApiError
from node.issuer.revocation_routes import change_credential
from node.issuer.revocations import Revocations, State
from node.issuer.store import IssuerStore
from node.web.languages import gettext, gettext_noop

PAGE_SIZE: Final = 50
_LAST_NUMBER: Final = 1 << 53
"""Beyond it no database counts."""
_RECORD: Final = re.compile(r"[0-9a-f]{32}")
_STATES: Final = {
    "active": gettext_noop("in force"),
    "suspended": gettext_noop("suspended"),
    "revoked": gettext_noop("revoked"),
}
_EVENTS: Final = {
    "credential_accepted": gettext_noop("the wallet has it"),
    "credential_failure": gettext_noop("the wallet could not take it"),
    "credential_deleted": gettext_noop("the person deleted it"),
}
_BATCH_STATES: Final = {
    "signing": gettext_noop("being made"),
    "sealed": gettext_noop("made, not on the ledger yet"),
    "anchored": gettext_noop("can be collected"),
}
_CHANGES: Final[dict[str, State]] = {
    "suspend": "suspended",
    "reinstate": "active",
    "revoke": "revoked",
}
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


def add_credential_pages(
    blueprint: Blueprint, *, store: IssuerStore, revocations: Revocations
) -> None:
    """Add the pages.

    Args:
        blueprint: The counter's pages.
        store: Which credentials and batches there are.
        revocations: Changes the states of credentials.
    """

    @blueprint.get("/credentials")
    def list_credentials() -> str:
        reference = request.args.get("reference", "").strip() or None
        after = min(max(0, request.args.get("after", 0, type=int)), _LAST_NUMBER)
        found = store.credentials.page(reference=reference, after=after, limit=PAGE_SIZE + 1)
        rows = [
            {
                "number": credential.number,
                "record": credential.record_id,
                "reference": credential.reference or "",
                "issued_at_ms": credential.issued_at_ms,
                "expires_at_ms": credential.expires_at_ms,
                "state": credential.state,
                "state_label": gettext(_STATES.get(credential.state, credential.state)),
                "event": gettext(_EVENTS[credential.event]) if credential.event else "",
            }
            for credential in found[:PAGE_SIZE]
        ]
        return render_template(
            "counter/credentials.html",
            rows=rows,
            reference=reference or "",
            more_after=rows[-1]["number"] if len(found) > PAGE_SIZE else None,
        )

    @blueprint.post("/credentials/<record>/<change>")
    def change(record: str, change: str) -> ResponseReturnValue:
        state = _CHANGES.get(change)
        if state is None or not _RECORD.fullmatch(record):
            raise ApiError(
                404, "unknown_credential", "There is no such credential", "Look at the list again."
            )
        change_credential(store, revocations, record, state)
        _log.info("counter", by=g.person.name, did=change, record=record)
        reference = request.args.get("reference")
        return redirect(url_for("counter.list_credentials", reference=reference), 303)

    @blueprint.get("/batches")
    def list_batches() -> str:
        batches = [
            {
                "id": batch.batch_id,
                "count": batch.count,
                "done": batch.done,
                "state": gettext(_BATCH_STATES.get(batch.state, batch.state)),
                "expires_at_ms": batch.expires_at_ms,
            }
            for batch in store.batches.all()
        ]
        return render_template("counter/batches.html", batches=batches)
