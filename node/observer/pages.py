"""The operator's pages: the ledger now, its blocks, and its adoption."""

from typing import Any

from flask import Blueprint, render_template, request

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.queries_pb2 import GetPeers, Query
from chaincode.transactions import block_hash, transaction_hash
from client_sdk.errors import QueryFailedError, TransportError
from node.observer.node_metrics import read_metrics
from node.observer.observer import PAGE_SIZE, Observer, nothing_there
from node.observer.series import (
    MINUTE_MS,
    SHOWN_MINUTES,
    adoption_chart,
    last_minutes,
    latency_chart,
    throughput_chart,
)


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
            raise nothing_there() from None
        return render_template("observer/block.html", **_described(block))


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
