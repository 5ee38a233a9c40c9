"""A node that is killed while more is waiting than it can order keeps what it told of."""

import os
import random
import secrets
import threading
from collections import deque
from pathlib import Path

import grpc
from support.ledger_stores import signed_transaction
from support.processes import DEADLINE_S, LedgerFolder, NodeProcess, make_ledger_folder

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.qry_responses_pb2 import BlockQueryResponse
from chaincode.protocol.queries_pb2 import BlocksQuery
from chaincode.transactions import transaction_hash
from client_sdk.ledger.commands import set_account_detail
from node.config import load_config
from node.ledger.block_store import BlockStore
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.daemon import now_ms
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.verification import verify_chain

KILLS = 200 if os.environ.get("TEGATA_SOAK") else 8
LIST_LENGTH = 50
LISTS = 120
"""Of a round: more than a node orders before it is killed."""
IN_FLIGHT = 16
TORII = "/iroha.protocol.CommandService_v1/"
QUERIES = "/iroha.protocol.QueryService_v1/"


class Round:
    """One life of the node: it is flooded, and two kinds of clients note what they are told."""

    def __init__(self, folder: LedgerFolder, number: int) -> None:
        self._folder = folder
        self._lists = [
            [
                signed_transaction(
                    set_account_detail(ADMIN_ACCOUNT, f"r{number}_{row}_{column}", "x"),
                    creator=ADMIN_ACCOUNT,
                    key=folder.admin_key,
                    created_time_ms=now_ms(),
                )
                for column in range(LIST_LENGTH)
            ]
            for row in range(LISTS)
        ]
        self.told: set[str] = set()
        self.streamed: set[str] = set()
        self.largest_block = 0
        self.sent = 0
        self.news = threading.Condition()

    def run(self, address: str, aim: int, pause_s: float, process: NodeProcess) -> None:
        """Flood the node until so many transactions are told of; then kill it."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        following = threading.Event()
        with grpc.insecure_channel(address, options=options) as channel:
            threads = [
                threading.Thread(target=self._follow_blocks, args=(channel, following)),
                threading.Thread(target=self._flood, args=(channel, following)),
                threading.Thread(target=self._follow_statuses, args=(channel, following)),
            ]
            for thread in threads:
                thread.start()
            with self.news:
                assert self.news.wait_for(
                    lambda: len(self.told) >= aim and self.streamed, DEADLINE_S
                )
            # Not at the moment of a commit, but at any: the random instant is the test.
            threading.Event().wait(pause_s)
            process.kill()
            for thread in threads:
                thread.join()

    def _flood(self, channel: grpc.Channel, following: threading.Event) -> None:
        following.wait()
        send = channel.unary_unary(TORII + "ListTorii", TxList.SerializeToString)
        calls: deque[grpc.Future] = deque()
        try:
            for transactions in self._lists:
                if len(calls) == IN_FLIGHT:
                    calls.popleft().result()
                calls.append(send.future(TxList(transactions=transactions)))
                self.sent += len(transactions)
        except grpc.RpcError:
            return

    def _follow_blocks(self, channel: grpc.Channel, following: threading.Event) -> None:
        query = BlocksQuery()
        query.meta.creator_account_id = ADMIN_ACCOUNT
        query.meta.created_time = now_ms()
        query.meta.query_counter = 1
        key = self._folder.admin_key
        signature = key.sign(query.meta.SerializeToString())
        query.signature.CopyFrom(Signature(public_key=key.public_key, signature=signature))
        stream = channel.unary_stream(
            QUERIES + "FetchCommits", BlocksQuery.SerializeToString, BlockQueryResponse.FromString
        )(query)
        try:
            stream.initial_metadata()
            following.set()
            for response in stream:
                transactions = response.block_response.block.block_v1.payload.transactions
                hashes = {transaction_hash(each).hex() for each in transactions}
                with self.news:
                    self.told |= hashes
                    self.largest_block = max(self.largest_block, len(transactions))
                    self.news.notify_all()
        except grpc.RpcError:
            return

    def _follow_statuses(self, channel: grpc.Channel, following: threading.Event) -> None:
        following.wait()
        follow = channel.unary_stream(
            TORII + "StatusStream", TxStatusRequest.SerializeToString, ToriiResponse.FromString
        )
        try:
            for transactions in self._lists:
                tx_hash = transaction_hash(transactions[-1]).hex()
                *_, last = follow(TxStatusRequest(tx_hash=tx_hash))
                if last.tx_status == TxStatus.COMMITTED:
                    with self.news:
                        self.streamed.add(tx_hash)
                        self.news.notify_all()
        except grpc.RpcError:
            return


def hashes_on_the_chain(folder: LedgerFolder) -> set[str]:
    data = load_config(folder.path / FILE_NAME, NodeConfig).data
    blocks = BlockStore(data / "blocks")
    try:
        return {
            transaction_hash(transaction).hex()
            for _, _, block in blocks.recover(blocks.start)
            for transaction in block.block_v1.payload.transactions
        }
    finally:
        blocks.close()


def test_kills_under_a_flood_lose_nothing_that_was_told(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed: {seed}")
    randomness = random.Random(seed)
    folder = make_ledger_folder(tmp_path / "node")
    rounds = []
    for number in range(KILLS):
        one = Round(folder, number)
        with NodeProcess(folder.path) as process:
            aim = randomness.randrange(1, LISTS * LIST_LENGTH // 4)
            one.run(process.address, aim, randomness.random() * 0.05, process)
        rounds.append(one)

    told = set().union(*(one.told | one.streamed for one in rounds))
    assert told <= hashes_on_the_chain(folder)
    (tmp_path / "scratch").mkdir()
    assert verify_chain(folder.path, tmp_path / "scratch").height > KILLS
    # It was a flood: lists waited for one another, and the node died with work in its hands.
    assert max(one.largest_block for one in rounds) > LIST_LENGTH
    assert all(one.sent > len(one.told) for one in rounds)
