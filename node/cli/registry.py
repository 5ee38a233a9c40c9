"""`tegata registry`: who counts as an issuer, by as many signatures as the registry needs."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from chaincode.encoding import JsonObject
from chaincode.errors import DecodeError
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.records import IssuerRecord, decode_record
from client_sdk.credentials.jose import export_public_jwk, parse_public_jwk
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.errors import CredentialFormatError, KeyFormatError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_record
from client_sdk.ledger.grants import new_record_id
from client_sdk.strict_json import parse_strict_json_object
from node.cli.ledger_node import root_certificates_option
from node.cli.output import Value, json_option, show, show_rows
from node.errors import ConfigError

_TIMEOUT_S = 15
_torii = click.option("--torii", required=True, help="host:port of a ledger node.")
_roots = root_certificates_option()
_keys = click.option(
    "--key",
    "key_files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A registrar's private key, NAME.priv; once for each who signs.",
)


@click.group()
def registry() -> None:
    """Who counts as an issuer: what as many registrars signed as the registry needs."""


@registry.command("list")
@_torii
@_roots
@_keys
@json_option
def list_issuers(
    torii: str, root_certificates: bytes | None, key_files: tuple[Path, ...], as_json: bool
) -> None:
    """List the issuers, also those that were withdrawn."""
    with _client(torii, root_certificates, key_files[0]) as client:
        details = client.details(REGISTRY_ACCOUNT, writer=REGISTRY_ACCOUNT)
    rows: list[dict[str, Value]] = []
    for name, value in sorted(details.items()):
        if name.startswith(IssuerRecord.prefix):
            try:
                rows.append(_row(name.removeprefix(IssuerRecord.prefix), value))
            except DecodeError:
                continue
    show_rows(rows, empty="The registry names no issuer yet.", as_json=as_json)


@registry.command()
@click.argument("account", metavar="ACCOUNT")
@click.option(
    "--type",
    "types",
    multiple=True,
    default=(RESIDENT_CREDENTIAL_TYPE,),
    show_default=True,
    help="What it may issue; once for each type of credential.",
)
@click.option(
    "--jwk",
    "jwk_files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A public key that its credentials are signed with, a JWK; once for each.",
)
@_torii
@_roots
@_keys
@json_option
def add(
    account: str,
    types: tuple[str, ...],
    jwk_files: tuple[Path, ...],
    torii: str,
    root_certificates: bytes | None,
    key_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Let the ledger account ACCOUNT count as an issuer."""
    record_id, keys = new_record_id(), tuple(map(_load_jwk, jwk_files))
    record = IssuerRecord(issuer=account, credential_types=types, keys=keys, state="active")
    with ExitStack() as stack:
        _write(_clients(stack, torii, root_certificates, key_files), record_id, record)
    show({"record": record_id, "issuer": account, "state": "active"}, as_json=as_json)


@registry.command()
@click.argument("record_id", metavar="RECORD")
@_torii
@_roots
@_keys
@json_option
def withdraw(
    record_id: str,
    torii: str,
    root_certificates: bytes | None,
    key_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Withdraw the issuer of RECORD, an id that `list` shows: its credentials count no more."""
    _set_state(record_id, "withdrawn", torii, root_certificates, key_files, as_json=as_json)


@registry.command()
@click.argument("record_id", metavar="RECORD")
@_torii
@_roots
@_keys
@json_option
def reinstate(
    record_id: str,
    torii: str,
    root_certificates: bytes | None,
    key_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Let the issuer of RECORD, which was withdrawn, count again."""
    _set_state(record_id, "active", torii, root_certificates, key_files, as_json=as_json)


def _set_state(
    record_id: str,
    state: Literal["active", "withdrawn"],
    torii: str,
    root_certificates: bytes | None,
    key_files: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    with ExitStack() as stack:
        signers = _clients(stack, torii, root_certificates, key_files)
        record = signers[0].record(REGISTRY_ACCOUNT, record_id, IssuerRecord)
        if record is None:
            raise ConfigError(f"the registry holds no issuer {record_id}")
        changed = replace(record, state=state)
        _write(signers, record_id, changed)
    show({"record": record_id, "issuer": changed.issuer, "state": state}, as_json=as_json)


def _clients(
    stack: ExitStack, torii: str, root_certificates: bytes | None, key_files: Sequence[Path]
) -> list[LedgerClient]:
    return [stack.enter_context(_client(torii, root_certificates, file)) for file in key_files]


def _write(signers: Sequence[LedgerClient], record_id: str, record: IssuerRecord) -> None:
    """Write a record by the signatures of all.

    Raises:
        ConfigError: A field of it is not acceptable.
    """
    try:
        command = set_record(REGISTRY_ACCOUNT, record_id, record)
    except DecodeError as error:
        raise ConfigError(str(error)) from None
    transaction = signers[0].build_transaction(command, quorum=len(signers))
    for signer in signers:
        signer.sign_transaction(transaction)
    signers[0].send(transaction)


def _load_jwk(file: Path) -> JsonObject:
    """Return a public key's members that count.

    Raises:
        ConfigError: The file holds no public JWK on Ed25519 or P-256.
    """
    try:
        return export_public_jwk(parse_public_jwk(parse_strict_json_object(file.read_bytes())))
    except (CredentialFormatError, KeyFormatError) as error:
        raise ConfigError(f"{file}: {error}") from None


def _client(torii: str, root_certificates: bytes | None, key_file: Path) -> LedgerClient:
    return LedgerClient(
        torii,
        REGISTRY_ACCOUNT,
        AccountKey.load(key_file),
        timeout_s=_TIMEOUT_S,
        root_certificates=root_certificates,
    )


def _row(record_id: str, value: str) -> dict[str, Value]:
    record = decode_record(value, IssuerRecord)
    return {
        "record": record_id,
        "issuer": record.issuer,
        "may_issue": list(record.credential_types),
        "state": record.state,
    }
