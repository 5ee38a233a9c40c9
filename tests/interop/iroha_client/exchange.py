"""Two accounts of two keys each agree on a batch, with the unmodified `iroha` package, as JSON.

usage: exchange.py ADDRESS, with the administrator's seed (hex) on standard input
"""

import json
import sys
import threading

import nacl.signing
from iroha import Iroha, IrohaCrypto, IrohaGrpc

TIMEOUT_S = 30


class Party:
    """An account that needs the signatures of both its keys."""

    def __init__(self, net, account_id, admin_key):
        self.net = net
        self.account_id = account_id
        self.keys = [IrohaCrypto.private_key() for _ in range(2)]
        self.iroha = Iroha(account_id)
        name, domain = account_id.split("@")
        first, second = (IrohaCrypto.derive_public_key(key) for key in self.keys)
        admin = Iroha("admin@tegata")
        self.send(
            admin.transaction(
                [
                    admin.command(
                        "CreateAccount", account_name=name, domain_id=domain, public_key=first
                    )
                ]
            ),
            admin_key,
        )
        command = self.iroha.command
        self.send(
            self.iroha.transaction(
                [
                    command("AddSignatory", account_id=account_id, public_key=second),
                    command("SetAccountQuorum", account_id=account_id, quorum=2),
                ]
            ),
            self.keys[0],
        )

    def draft(self, key):
        """Return a transaction that writes a detail; it asks for two signatures."""
        command = self.iroha.command(
            "SetAccountDetail", account_id=self.account_id, key=key, value="x"
        )
        return self.iroha.transaction([command], quorum=2)

    def send(self, transaction, *keys):
        IrohaCrypto.sign_transaction(transaction, *keys)
        self.net.send_tx(transaction, timeout=TIMEOUT_S)
        assert follow(self.net, transaction)[-1] == "COMMITTED"

    def pending(self):
        query = self.iroha.query("GetPendingTransactions")
        IrohaCrypto.sign_query(query, self.keys[0])
        answer = self.net.send_query(query, timeout=TIMEOUT_S)
        return list(answer.transactions_response.transactions)

    def pending_page(self, size):
        query = self.iroha.query("GetPendingTransactions", page_size=size)
        IrohaCrypto.sign_query(query, self.keys[0])
        return self.net.send_query(query, timeout=TIMEOUT_S).pending_transactions_page_response

    def accept(self):
        """Sign one's own part of what waits, and send all of it back."""
        transactions = self.pending()
        for transaction in transactions:
            del transaction.signatures[:]
            if transaction.payload.reduced_payload.creator_account_id == self.account_id:
                IrohaCrypto.sign_transaction(transaction, *self.keys)
        self.net.send_txs(transactions, timeout=TIMEOUT_S)
        return transactions


def follow(net, transaction):
    return [name for name, _, _ in net.tx_status_stream(transaction, TIMEOUT_S)]


def run_exchange(alice, bob, *, atomic):
    """Alice proposes and signs, bob accepts; return what both saw."""
    transactions = [alice.draft(f"atomic_{atomic}"), bob.draft(f"atomic_{atomic}")]
    Iroha.batch(transactions, atomic=atomic)
    IrohaCrypto.sign_transaction(transactions[0], *alice.keys)
    alice.net.send_txs(transactions, timeout=TIMEOUT_S)
    # The stream ends while the batch waits; the package's examples rely on it.
    waiting = [follow(alice.net, transaction)[-1] for transaction in transactions]
    page = bob.pending_page(1)
    accepted = bob.accept()
    return {
        "waiting": waiting,
        "seen_by_bob": len(accepted),
        "page_of_one": [
            len(page.transactions),
            page.all_transactions_size,
            page.next_batch_info.batch_size,
        ],
        "ends": [follow(alice.net, transaction)[-1] for transaction in transactions],
        "left": len(alice.pending()),
    }


def decline(alice, bob):
    """Alice proposes, bob signs his own part with foreign keys, as the package's example does."""
    transactions = [alice.draft("declined"), bob.draft("declined")]
    Iroha.batch(transactions, atomic=True)
    IrohaCrypto.sign_transaction(transactions[0], *alice.keys)
    alice.net.send_txs(transactions, timeout=TIMEOUT_S)
    del transactions[0].signatures[:]
    IrohaCrypto.sign_transaction(transactions[1], *alice.keys)
    bob.net.send_txs(transactions, timeout=TIMEOUT_S)
    return {
        "ends": [follow(alice.net, transaction)[-1] for transaction in transactions],
        "left": len(bob.pending()),
    }


def sign_one_by_one(party):
    transaction = party.draft("one_by_one")
    seen = []
    for key in party.keys:
        del transaction.signatures[:]
        IrohaCrypto.sign_transaction(transaction, key)
        party.net.send_tx(transaction, timeout=TIMEOUT_S)
        seen.append(follow(party.net, transaction)[-1])
    return seen


def read_blocks(net, admin_key, party):
    """Follow the chain while one transaction is committed; return what its block holds."""
    query = Iroha("admin@tegata").blocks_query()
    IrohaCrypto.sign_query(query, admin_key)
    stream = net.send_blocks_stream_query(query, timeout=TIMEOUT_S)
    # The package gives out blocks only: the next transaction may come before it has subscribed.
    transactions = [party.draft(f"block_{n}") for n in range(50)]
    sender = threading.Thread(
        target=lambda: [party.send(transaction, *party.keys) for transaction in transactions]
    )
    sender.start()
    block = next(stream).block_response.block.block_v1
    sender.join()
    (transaction,) = block.payload.transactions
    return transaction in transactions


def main(address):
    net = IrohaGrpc(address, timeout=TIMEOUT_S)
    admin_key = nacl.signing.SigningKey(bytes.fromhex(sys.stdin.read().strip()))
    alice, bob = (Party(net, f"exchange_{name}@holder", admin_key) for name in ("alice", "bob"))
    print(
        json.dumps(
            {
                "atomic": run_exchange(alice, bob, atomic=True),
                "ordered": run_exchange(alice, bob, atomic=False),
                "declined": decline(alice, bob),
                "one_by_one": sign_one_by_one(alice),
                "block_is_one_of_ours": read_blocks(net, admin_key, alice),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
