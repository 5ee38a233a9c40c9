"""Who is an issuer: what a quorum of registrars wrote, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import run_inside
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.records import IssuerRecord
from client_sdk.credentials.jose import export_public_jwk, generate_key
from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import (
    add_signatory,
    create_account,
    set_account_quorum,
    set_record,
)
from client_sdk.ledger.grants import new_record_id
from node.errors import ConfigError
from node.keypair import save_keypair

ISSUER = "aoba_city@issuer"
RECORD = IssuerRecord(
    issuer=ISSUER,
    credential_types=("urn:tegata:credential:resident:1",),
    keys=(export_public_jwk(generate_key()),),
    state="active",
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> LedgerFolder:
    return make_ledger_folder(tmp_path_factory.mktemp("registry") / "ledger")


@pytest.fixture(scope="module")
def address(ledger: LedgerFolder) -> Iterator[str]:
    with NodeProcess(ledger.path) as node:
        yield node.address


@pytest.fixture(scope="module")
def second(ledger: LedgerFolder, address: str) -> AccountKey:
    """The second registrar's key; from here on both must sign."""
    key = AccountKey.generate()
    with ledger.registry(address) as registry:
        registry.submit(add_signatory(REGISTRY_ACCOUNT, key.public_key))
        registry.submit(set_account_quorum(REGISTRY_ACCOUNT, 2))
    return key


def test_the_role_of_an_issuer_makes_nobody_an_issuer(
    ledger: LedgerFolder, address: str, second: AccountKey
) -> None:
    key, record_id = AccountKey.generate(), new_record_id()
    with ledger.admin(address) as admin:
        # The domain's default role is that of issuers.
        admin.submit(create_account(ISSUER, key.public_key))
        with LedgerClient(address, ISSUER, key) as issuer:
            for account in (REGISTRY_ACCOUNT, ISSUER):
                with pytest.raises(TransactionFailedError):
                    issuer.submit(set_record(account, record_id, RECORD))
        with pytest.raises(TransactionFailedError):
            admin.submit(set_record(REGISTRY_ACCOUNT, record_id, RECORD))
        assert admin.record(REGISTRY_ACCOUNT, record_id, IssuerRecord) is None


def test_one_registrar_alone_registers_nobody(
    ledger: LedgerFolder, address: str, second: AccountKey
) -> None:
    record_id = new_record_id()
    command = set_record(REGISTRY_ACCOUNT, record_id, RECORD)
    with (
        ledger.registry(address) as first,
        LedgerClient(address, REGISTRY_ACCOUNT, second) as other,
        ledger.admin(address) as admin,
    ):
        for registrar in (first, other):
            with pytest.raises(TransactionFailedError):
                registrar.submit(command)
        assert admin.record(REGISTRY_ACCOUNT, record_id, IssuerRecord) is None
        transaction = first.build_transaction(command, quorum=2)
        first.sign_transaction(transaction)
        other.sign_transaction(transaction)
        first.send(transaction)
        assert admin.record(REGISTRY_ACCOUNT, record_id, IssuerRecord) == RECORD


def test_registrars_withdraw_an_issuer_together_by_commands(
    ledger: LedgerFolder, address: str, second: AccountKey, tmp_path: Path
) -> None:
    save_keypair(ledger.registry_key, tmp_path / "first.priv")
    save_keypair(second, tmp_path / "second.priv")
    keys = [("--key", str(tmp_path / name)) for name in ("first.priv", "second.priv")]
    torii, jwk = ("--torii", address), tmp_path / "issuer.jwk"
    jwk.write_text(json.dumps(RECORD.keys[0]), encoding="utf-8")
    terms = ("--type", RECORD.credential_types[0], "--jwk", str(jwk))
    command = ("registry", "add", RECORD.issuer, *terms, *torii)
    assert isinstance(run_inside(*command, *keys[0]).exception, TransactionFailedError)
    added = run_inside(*command, *keys[0], *keys[1], "--json")
    assert added.exit_code == 0, added.exception
    record_id = json.loads(added.stdout)["record"]
    jwk.write_text("{}", encoding="utf-8")
    assert isinstance(run_inside(*command, *keys[0], *keys[1]).exception, ConfigError)

    def state() -> str:
        listed = run_inside("registry", "list", *torii, *keys[0], "--json")
        rows = {row["record"]: row for row in json.loads(listed.stdout)}
        return str(rows[record_id]["state"])

    assert state() == "active"
    alone = run_inside("registry", "withdraw", record_id, *torii, *keys[0])
    assert isinstance(alone.exception, TransactionFailedError)
    assert state() == "active"
    for command, expected in (("withdraw", "withdrawn"), ("reinstate", "active")):
        done = run_inside("registry", command, record_id, *torii, *keys[0], *keys[1])
        assert done.exit_code == 0, done.exception
        assert state() == expected
    unknown = run_inside("registry", "withdraw", new_record_id(), *torii, *keys[0], *keys[1])
    assert isinstance(unknown.exception, ConfigError)


def test_a_stranger_s_second_signature_does_not_count(
    ledger: LedgerFolder, address: str, second: AccountKey
) -> None:
    record_id = new_record_id()
    with (
        ledger.registry(address) as first,
        LedgerClient(address, REGISTRY_ACCOUNT, AccountKey.generate()) as stranger,
        ledger.admin(address) as admin,
    ):
        transaction = first.build_transaction(
            set_record(REGISTRY_ACCOUNT, record_id, RECORD), quorum=2
        )
        first.sign_transaction(transaction)
        stranger.sign_transaction(transaction)
        with pytest.raises(TransactionFailedError):
            first.send(transaction)
        assert admin.record(REGISTRY_ACCOUNT, record_id, IssuerRecord) is None
