"""Drive a ledger node with the unmodified `iroha` package, and print what it saw as JSON.

usage: client.py story ADDRESS, with the administrator's seed (hex) on standard input
       client.py verify, with signed transactions (hex, one a line) on standard input
       client.py descriptors
"""

import base64
import json
import sys

import nacl.exceptions
import nacl.signing
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from iroha import (
    Iroha,
    IrohaCrypto,
    IrohaGrpc,
    block_pb2,
    commands_pb2,
    endpoint_pb2,
    primitive_pb2,
    qry_responses_pb2,
    queries_pb2,
    transaction_pb2,
)

TIMEOUT_S = 30
FILES = (
    block_pb2,
    commands_pb2,
    endpoint_pb2,
    primitive_pb2,
    qry_responses_pb2,
    queries_pb2,
    transaction_pb2,
)


def print_descriptors():
    found = {}
    for module in FILES:
        proto = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(proto)
        found[module.DESCRIPTOR.name] = base64.b64encode(proto.SerializeToString()).decode()
    print(json.dumps(found))


class Account:
    """One account's use of the package."""

    def __init__(self, net, account_id, key):
        self.net = net
        self.account_id = account_id
        self.key = key
        self.iroha = Iroha(account_id)

    def submit(self, *commands):
        """Send a transaction; return the names and codes of its statuses, as the package tells."""
        transaction = self.iroha.transaction(list(commands))
        IrohaCrypto.sign_transaction(transaction, self.key)
        self.net.send_tx(transaction, timeout=TIMEOUT_S)
        told = [[name, code] for name, _, code in self.net.tx_status_stream(transaction, TIMEOUT_S)]
        return transaction, told

    def ask(self, name, **fields):
        query = self.iroha.query(name, **fields)
        IrohaCrypto.sign_query(query, self.key)
        return self.net.send_query(query, timeout=TIMEOUT_S)

    def story(self, admin):
        """Come into being, write a detail and read it back."""
        name, domain = self.account_id.split("@")
        public_key = IrohaCrypto.derive_public_key(self.key)
        _, created = admin.submit(
            self.iroha.command(
                "CreateAccount", account_name=name, domain_id=domain, public_key=public_key
            )
        )
        value = '{\\"city\\": \\"\u6771\u4eac\\"}'
        written, told = self.submit(
            self.iroha.command(
                "SetAccountDetail", account_id=self.account_id, key="place", value=value
            )
        )
        detail = self.ask("GetAccountDetail", account_id=self.account_id).account_detail_response
        account = self.ask("GetAccount", account_id=self.account_id).account_response
        signatories = self.ask("GetSignatories", account_id=self.account_id).signatories_response
        sent = self.ask("GetTransactions", tx_hashes=[IrohaCrypto.hash(written).hex().encode()])
        refused, refusal = self.submit(
            self.iroha.command("SetAccountDetail", account_id=self.account_id, key="a", value="1"),
            self.iroha.command("SetAccountDetail", account_id=admin.account_id, key="a", value="1"),
        )
        return {
            "public_key": public_key if isinstance(public_key, str) else public_key.decode(),
            "created": created,
            "written": told,
            "written_hash": IrohaCrypto.hash(written).hex(),
            "newest": list(self.net.tx_status(written, TIMEOUT_S)),
            "detail": json.loads(detail.detail),
            "details_in_all": detail.total_number,
            "account": {
                "id": account.account.account_id,
                "domain": account.account.domain_id,
                "quorum": account.account.quorum,
                "details": json.loads(account.account.json_data),
                "roles": list(account.account_roles),
            },
            "signatories": list(signatories.keys),
            "sent_again_from_the_ledger": [
                transaction == written for transaction in sent.transactions_response.transactions
            ],
            "refusal": refusal,
            "refused_command": self.refused_command(refused),
            "forbidden_query": self.forbidden_query(admin),
        }

    def refused_command(self, transaction):
        """Return the whole of the status that says why: the package hands out its code only."""
        request = endpoint_pb2.TxStatusRequest(tx_hash=IrohaCrypto.hash(transaction).hex())
        for status in self.net._command_service_stub.StatusStream(request, timeout=TIMEOUT_S):
            if status.tx_status == endpoint_pb2.STATEFUL_VALIDATION_FAILED:
                return [status.err_or_cmd_name, status.failed_cmd_index, status.error_code]
        return None

    def forbidden_query(self, admin):
        error = self.ask("GetAccount", account_id=admin.account_id).error_response
        return [type(error).Reason.Name(error.reason), error.error_code]

    def send_list(self):
        """Send three transactions at once, then three of which one has no signature."""
        commands = [
            self.iroha.command(
                "SetAccountDetail", account_id=self.account_id, key="list", value=str(n)
            )
            for n in range(6)
        ]
        transactions = [self.iroha.transaction([command]) for command in commands]
        for transaction in transactions[:5]:
            IrohaCrypto.sign_transaction(transaction, self.key)
        ends = []
        for part in (transactions[:3], transactions[3:]):
            self.net.send_txs(part, timeout=TIMEOUT_S)
            ends.append([list(self.net.tx_status_stream(t, TIMEOUT_S))[-1][0] for t in part])
        return ends


def print_story(address):
    net = IrohaGrpc(address, timeout=TIMEOUT_S)
    seed = bytes.fromhex(sys.stdin.read().strip())
    admin = Account(net, "admin@tegata", nacl.signing.SigningKey(seed))
    accounts = {
        "ed25519_sha3": Account(net, "interop_sha3@holder", IrohaCrypto.private_key().decode()),
        "ed25519_sha2": Account(net, "interop_sha2@holder", nacl.signing.SigningKey.generate()),
    }
    print(
        json.dumps(
            {
                "accounts": {name: account.story(admin) for name, account in accounts.items()},
                "lists": {name: account.send_list() for name, account in accounts.items()},
            }
        )
    )


def print_validity():
    """Tell of each transaction whether the package takes its one signature for valid."""
    found = []
    for line in sys.stdin:
        transaction = transaction_pb2.Transaction.FromString(bytes.fromhex(line))
        (signature,) = transaction.signatures
        is_sha2 = len(signature.public_key) > 64
        is_valid = (
            IrohaCrypto.is_sha2_signature_valid if is_sha2 else IrohaCrypto.is_signature_valid
        )
        try:
            found.append([signature.public_key, is_valid(transaction, signature)])
        except nacl.exceptions.BadSignatureError:
            # The package catches it for its other scheme only.
            found.append([signature.public_key, False])
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1] == "story":
        print_story(sys.argv[2])
    elif sys.argv[1] == "verify":
        print_validity()
    else:
        print_descriptors()
