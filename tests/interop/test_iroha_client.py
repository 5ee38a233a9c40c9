"""The unmodified Python client of Iroha 1 works with our node, and our protocol files are its."""

import base64
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
)
from support.processes import LedgerFolder, NodeProcess

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-iroha" / "bin" / "python"
SCRIPT = Path(__file__).parent / "iroha_client" / "client.py"
NAMES = (
    "block",
    "commands",
    "endpoint",
    "primitive",
    "qry_responses",
    "queries",
    "transaction",
)


def run_client(*arguments: str, stdin: str = "", script: Path = SCRIPT) -> dict[str, object]:
    assert PYTHON.exists(), "the Iroha client is not installed: `make test` does it"
    done = subprocess.run(
        [str(PYTHON), str(script), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, object] = json.loads(done.stdout)
    return printed


@pytest.fixture(scope="module")
def story(ledger_node: NodeProcess, ledger_folder: LedgerFolder) -> dict[str, object]:
    return run_client("story", ledger_node.address, stdin=ledger_folder.admin_key.seed.hex())


@pytest.mark.parametrize(
    ("scheme", "key_length"), [("ed25519_sha3", 64), ("ed25519_sha2", 64 + len("ed0120"))]
)
class TestAccountOfTheIrohaClient:
    """What the client sees of an account with each of the two kinds of keys."""

    @pytest.fixture
    def seen(self, story: dict, scheme: str, key_length: int) -> dict:
        account = story["accounts"][scheme]
        assert len(account["public_key"]) == key_length
        return account

    def test_its_transactions_are_followed_to_the_end(self, seen: dict) -> None:
        for told in (seen["created"], seen["written"]):
            assert told[-1] == ["COMMITTED", 0]
            names = [name for name, _ in told]
            every = [
                "NOT_RECEIVED",
                "STATELESS_VALIDATION_SUCCESS",
                "ENOUGH_SIGNATURES_COLLECTED",
                "STATEFUL_VALIDATION_SUCCESS",
                "COMMITTED",
            ]
            assert names == [name for name in every if name in names]
        assert seen["newest"] == ["COMMITTED", 5, 0]

    def test_what_it_writes_it_reads(self, seen: dict, scheme: str) -> None:
        account_id = f"interop_{scheme.removeprefix('ed25519_')}@holder"
        details = {account_id: {"place": '{"city": "東京"}'}}
        assert seen["detail"] == details
        assert seen["details_in_all"] == 1
        assert seen["account"] == {
            "id": account_id,
            "domain": "holder",
            "quorum": 1,
            "details": details,
            "roles": ["holder"],
        }
        assert seen["signatories"] == [seen["public_key"]]

    def test_its_transaction_comes_back_unchanged(self, seen: dict) -> None:
        assert seen["sent_again_from_the_ledger"] == [True]

    def test_a_rejection_has_its_code_and_command(self, seen: dict) -> None:
        assert seen["refusal"][-2:] == [["STATEFUL_VALIDATION_FAILED", 2], ["REJECTED", 0]]
        assert seen["refused_command"] == ["SetAccountDetail", 1, 2]

    def test_a_forbidden_query_has_its_reason_and_code(self, seen: dict) -> None:
        assert seen["forbidden_query"] == ["STATEFUL_INVALID", 2]

    @pytest.mark.usefixtures("seen")
    def test_a_list_is_taken_whole_or_not_at_all(self, story: dict, scheme: str) -> None:
        assert story["lists"][scheme] == [
            ["COMMITTED"] * 3,
            ["STATELESS_VALIDATION_FAILED"] * 3,
        ]


@pytest.fixture(scope="module")
def exchange(ledger_node: NodeProcess, ledger_folder: LedgerFolder) -> dict:
    return run_client(
        ledger_node.address,
        stdin=ledger_folder.admin_key.seed.hex(),
        script=SCRIPT.with_name("exchange.py"),
    )


@pytest.mark.parametrize("kind", ["atomic", "ordered"])
def test_two_accounts_of_two_keys_agree_on_a_batch(exchange: dict, kind: str) -> None:
    assert exchange[kind] == {
        "waiting": ["MST_PENDING"] * 2,
        "seen_by_bob": 2,
        "page_of_one": [0, 2, 2],
        "ends": ["COMMITTED"] * 2,
        "left": 0,
    }


def test_a_batch_is_declined_as_the_package_s_example_does_it(exchange: dict) -> None:
    assert exchange["declined"] == {"ends": ["REJECTED"] * 2, "left": 0}


def test_two_keys_sign_one_by_one(exchange: dict) -> None:
    assert exchange["one_by_one"] == ["MST_PENDING", "COMMITTED"]


def test_the_client_follows_the_chain(exchange: dict) -> None:
    assert exchange["block_is_one_of_ours"]


def shape(message: DescriptorProto) -> dict[str, object]:
    """Return all of a message that its bytes and its users depend on."""
    return {
        "fields": sorted(
            (
                field.number,
                field.name,
                field.type,
                field.label,
                field.type_name,
                message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else "",
                field.proto3_optional,
            )
            for field in message.field
        ),
        "oneofs": [oneof.name for oneof in message.oneof_decl],
        "messages": {nested.name: shape(nested) for nested in message.nested_type},
        "enums": {nested.name: values(nested) for nested in message.enum_type},
    }


def values(enum: EnumDescriptorProto) -> list[tuple[int, str]]:
    return sorted((value.number, value.name) for value in enum.value)


def shape_of_file(file: FileDescriptorProto) -> dict[str, object]:
    return {
        "package": file.package,
        "messages": {message.name: shape(message) for message in file.message_type},
        "enums": {enum.name: values(enum) for enum in file.enum_type},
        "services": {
            service.name: sorted(
                (m.name, m.input_type, m.output_type, m.client_streaming, m.server_streaming)
                for m in service.method
            )
            for service in file.service
        },
    }


@pytest.mark.parametrize("name", NAMES)
def test_our_messages_are_those_of_the_iroha_package(
    name: str, descriptors: dict[str, FileDescriptorProto]
) -> None:
    module = importlib.import_module(f"chaincode.protocol.{name}_pb2")
    ours = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(ours)
    assert ours.message_type or ours.service
    assert shape_of_file(ours) == shape_of_file(descriptors[name])


@pytest.fixture(scope="module")
def descriptors() -> dict[str, FileDescriptorProto]:
    return {
        Path(path).stem: FileDescriptorProto.FromString(base64.b64decode(str(data)))
        for path, data in run_client("descriptors").items()
    }


def test_the_generated_modules_are_those_of_the_proto_files(tmp_path: Path) -> None:
    """`make proto` was run after the last change of a .proto file."""
    protocol = ROOT / "chaincode" / "protocol"
    copied = tmp_path / "chaincode" / "protocol"
    copied.mkdir(parents=True)
    sources = sorted(protocol.glob("*.proto"))
    for source in sources:
        shutil.copy(source, copied)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "--proto_path=.",
            "--python_out=.",
            "--pyi_out=.",
            *(str(source.relative_to(ROOT)) for source in sources),
        ],
        cwd=tmp_path,
        check=True,
    )
    generated = {path.name: path.read_text() for path in copied.glob("*_pb2.py*")}
    committed = {path.name: path.read_text() for path in protocol.glob("*_pb2.py*")}
    assert len(generated) == 2 * len(sources)
    assert generated == committed
