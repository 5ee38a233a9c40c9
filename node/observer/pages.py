"""The operator's pages: the ledger as it is, its blocks, transactions, accounts, and its adoption."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from chaincode.ids import ACCOUNT_ID
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.queries_pb2 import GetAccount, GetPeers, Query
from chaincode.records import RESERVED_PREFIX
from chaincode.transactions import block_hash, transaction_hash
from client_sdk.errors import QueryFailedError, TransportError
from client_sdk.ledger.client import LedgerClient
from node.errors import ApiError
from node.observer.block_index import BlockIndex
from node.observer.config import ObserverConfig
from node.observer.node_metrics import read_metrics
from node.observer.reader import BlockReader
from node.observer.series import (
    MINUTE_MS,
    SHOWN_MINUTES,
    adoption_chart,
    last_minutes,
    latency_chart,
    throughput_chart,
)

PAGE_SIZE: Final = 50
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HEIGHT: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """What the pages show.

    Attributes:
        config: The configuration.
        ledger: The ledger, read as the page's own account.
        index: What was read of the blocks.
        reader: What reads them.
        now_ms: The clock: milliseconds since 1970, UTC.
    """

    config: ObserverConfig
    ledger: LedgerClient
    index: BlockIndex
    reader: BlockReader
    now_ms: Callable[[], int]


def add_pages(blueprint: Blueprint, observer: Observer) -> None:
    """Add the pages."""
    index = observer.index

    @blueprint.get("/")
    def overview() -> str:
        now_ms = observer.now_ms()
        minutes = last_minutes(index.blocks_since(now_ms - SHOWN_MINUTES * MINUTE_MS), now_ms)
        url = observer.config.metrics_url
        return render_template(
            "observer/overview.html",
            health=_health(observer),
            peers=_peers(observer),
            read_height=index.height(),
            is_behind=observer.reader.is_behind,
            transactions=index.count_transactions(),
            accounts=index.count_accounts(),
            metrics=read_metrics(url) if url else None,
            charts=[throughput_chart(minutes), latency_chart(minutes)],
        )

    @blueprint.get("/adoption")
    def adoption() -> str:
        domain = observer.config.holder_domain
        chart = adoption_chart(index, domain, observer.now_ms())
        return render_template("observer/adoption.html", chart=chart, domain=domain)

    @blueprint.get("/blocks")
    def list_blocks() -> str:
        below = request.args.get("below", type=int)
        found = index.blocks(below=below, limit=PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        return render_template(
            "observer/blocks.html",
            blocks=shown,
            more_below=shown[-1].height if len(found) > PAGE_SIZE else None,
        )

    @blueprint.get("/blocks/<int:height>")
    def show_block(height: int) -> str:
        try:
            block = observer.ledger.block(height)
        except QueryFailedError:
            raise _nothing() from None
        return render_template("observer/block.html", **_described(block))

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
            raise _nothing()
        try:
            found = observer.ledger.find(
                Query.Payload(get_account=GetAccount(account_id=account_id))
            ).account_response
            keys = observer.ledger.signatories(account_id)
            details = observer.ledger.details_by_writer(account_id)
        except QueryFailedError:
            raise _nothing() from None
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
            raise _nothing()
        return redirect(url_for("observer.show_block", height=height, _anchor=asked))


def _health(observer: Observer) -> dict[str, Any] | None:
    try:
        health = observer.ledger.health()
    except TransportError:
        return None
    return {
        "is_healthy": health.is_healthy,
        "is_syncing": health.is_syncing,
        "height": health.last_block_height - 1,
        "memory_bytes": health.memory_consumption,
    }


def _peers(observer: Observer) -> list[dict[str, Any]] | None:
    try:
        answer = observer.ledger.find(Query.Payload(get_peers=GetPeers()))
    except (TransportError, QueryFailedError):
        return None
    return [
        {
            "address": peer.address,
            "key": peer.peer_key,
            "is_syncing": peer.syncing_peer,
            "has_tls": bool(peer.tls_certificate),
        }
        for peer in answer.peers_response.peers
    ]


def _described(block: Block) -> dict[str, Any]:
    payload = block.block_v1.payload
    return {
        "height": payload.height,
        "hash": block_hash(block).hex(),
        "previous": payload.prev_block_hash,
        "time_ms": payload.created_time,
        "signers": [signature.public_key for signature in block.block_v1.signatures],
        "transactions": [
            {
                "hash": transaction_hash(transaction).hex(),
                "creator": transaction.payload.reduced_payload.creator_account_id,
                "commands": [
                    command.WhichOneof("command")
                    for command in transaction.payload.reduced_payload.commands
                ],
                "signatures": len(transaction.signatures),
            }
            for transaction in payload.transactions
        ],
        "rejected": list(payload.rejected_transactions_hashes),
    }


def _nothing() -> ApiError:
    return ApiError(
        404,
        "not_on_ledger",
        "The ledger has no such thing",
        "Look for a block's height, a transaction's hash or an account.",
    )
