"""The operator's pages of accounts, and what finds accounts, blocks and transactions."""

import re
from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from chaincode.ids import ACCOUNT_ID
from chaincode.protocol.queries_pb2 import GetAccount, Query
from chaincode.records import RESERVED_PREFIX
from client_sdk.errors import QueryFailedError
from node.observer.observer import PAGE_SIZE, Observer, nothing_there

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HEIGHT: Final = re.compile(r"[0-9]{1,18}")


def add_account_pages(blueprint: Blueprint, observer: Observer) -> None:
    """Add the pages."""
    index = observer.index

    @blueprint.get("/accounts")
    def list_accounts() -> str:
        domain = request.args.get("domain") or None
        found = index.accounts(
            after=request.args.get("after", ""), limit=PAGE_SIZE + 1, domain=domain
        )
        shown = found[:PAGE_SIZE]
        return render_template(
            "observer/accounts.html",
            accounts=shown,
            domains=index.count_accounts(),
            domain=domain,
            more_after=shown[-1].account_id if len(found) > PAGE_SIZE else None,
        )

    @blueprint.get("/accounts/<account_id>")
    def show_account(account_id: str) -> str:
        if not ACCOUNT_ID.fullmatch(account_id):
            raise nothing_there()
        try:
            found = observer.ledger.find(
                Query.Payload(get_account=GetAccount(account_id=account_id))
            ).account_response
            keys = observer.ledger.signatories(account_id)
            details = observer.ledger.details_by_writer(account_id)
        except QueryFailedError:
            raise nothing_there() from None
        return render_template(
            "observer/account.html",
            account_id=account_id,
            quorum=found.account.quorum,
            roles=sorted(found.account_roles),
            keys=sorted(keys),
            records=[
                (writer, key)
                for writer, written in sorted(details.items())
                for key in sorted(written)
                if key.startswith(RESERVED_PREFIX)
            ],
        )

    @blueprint.get("/find")
    def find() -> ResponseReturnValue:
        asked = request.args.get("what", "").strip().lower()
        if _HEIGHT.fullmatch(asked):
            return redirect(url_for("observer.show_block", height=int(asked)))
        if ACCOUNT_ID.fullmatch(asked):
            return redirect(url_for("observer.show_account", account_id=asked))
        height = index.find_transaction(bytes.fromhex(asked)) if _HASH.fullmatch(asked) else None
        if height is None:
            raise nothing_there()
        return redirect(url_for("observer.show_block", height=height, _anchor=asked))
