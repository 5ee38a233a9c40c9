"""A node in a process of its own that tests drive like a `MemoryLedger`."""

import itertools
from pathlib import Path
from typing import Self

import grpc
from google.protobuf.empty_pb2 import Empty
from support.memory_ledger import sign_transaction
from support.processes import NodeProcess

from chaincode.blocks import Receipt, Verdict
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxStatus, TxStatusRequest
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.qry_responses_pb2 import QueryResponse
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import transaction_hash
from client_sdk.ledger.account_key import AccountKey
from node.keypair import save_keypair
from node.ledger.daemon import now_ms
from node.ledger.genesis import save_genesis

_DEADLINE_S = 30
_COMMANDS = "/iroha.protocol.CommandService_v1/"


class NodeLedger:
    """A ledger behind gRPC. A context; on leaving, the node is stopped."""

    def __init__(self, folder: Path, genesis: Block, peer_key: AccountKey) -> None:
        """Start a node whose chain begins with a genesis block; its time is set back."""
        genesis.block_v1.payload.created_time = 1
        save_keypair(peer_key, folder / "keys" / "node.priv")
        save_genesis(genesis, folder / "genesis.block")
        (folder / "node.toml").write_text('torii = "127.0.0.1:0"\n', encoding="utf-8")
        self._node = NodeProcess(folder)
        self._channel = grpc.insecure_channel(self._node.address)
        self._torii = self._channel.unary_unary(
            _COMMANDS + "Torii",
            request_serializer=Transaction.SerializeToString,
            response_deserializer=Empty.FromString,
        )
        self._status_stream = self._channel.unary_stream(
            _COMMANDS + "StatusStream",
            request_serializer=TxStatusRequest.SerializeToString,
            response_deserializer=ToriiResponse.FromString,
        )
        self._find = self._channel.unary_unary(
            "/iroha.protocol.QueryService_v1/Find",
            request_serializer=Query.SerializeToString,
            response_deserializer=QueryResponse.FromString,
        )
        # No two transactions or queries are equal, however fast they come.
        self._times = itertools.count(now_ms())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._channel.close()
        self._node.__exit__(*raised)

    def submit(self, account_id: str, *commands: Command, keys: tuple[AccountKey, ...]) -> Receipt:
        """Send the commands as one transaction and wait for what becomes of it."""
        message = Transaction()
        reduced = message.payload.reduced_payload
        reduced.commands.extend(commands)
        reduced.creator_account_id = account_id
        reduced.created_time = next(self._times)
        reduced.quorum = len(keys)
        sign_transaction(message, *keys)
        tx_hash = transaction_hash(message)
        self._torii(message, timeout=_DEADLINE_S)
        request = TxStatusRequest(tx_hash=tx_hash.hex())
        statuses = list(self._status_stream(request, timeout=_DEADLINE_S))
        if statuses[-1].tx_status == TxStatus.COMMITTED:
            return Receipt(tx_hash=tx_hash, verdict=Verdict.COMMITTED)
        failure = next(s for s in statuses if s.tx_status == TxStatus.STATEFUL_VALIDATION_FAILED)
        return Receipt(
            tx_hash=tx_hash,
            verdict=Verdict.REJECTED,
            code=failure.error_code,
            command_name=failure.err_or_cmd_name,
            command_index=failure.failed_cmd_index,
        )

    def answer(self, query: Query, key: AccountKey) -> QueryResponse:
        """Send a query that a key signs; its time and counter are set here."""
        query.payload.meta.created_time = next(self._times)
        query.payload.meta.query_counter = 1
        signature = key.sign(query.payload.SerializeToString())
        query.signature.CopyFrom(Signature(public_key=key.public_key, signature=signature))
        return self._find(query, timeout=_DEADLINE_S)
