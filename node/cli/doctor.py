"""`tegata doctor`: says what is wrong with an installation, and how to mend it."""

import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import click
import requests
from rich.console import Console

from chaincode.transactions import block_hash
from client_sdk.errors import ClientError, CredentialFormatError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.torii_channel import is_exposed
from client_sdk.strict_json import parse_strict_json_object
from node.cli.escrow import FILE_NAME as ESCROW_FILE
from node.cli.face import FILE_NAME as FACE_FILE
from node.cli.output import json_option, plain, show_rows
from node.config import LedgerAccess, ProcessConfig, load_config
from node.errors import ConfigError
from node.escrow.config import EscrowConfig
from node.face.config import FaceConfig
from node.gateway.config import FILE_NAME as GATEWAY_FILE
from node.gateway.config import GatewayConfig
from node.issuer.config import FILE_NAME as ISSUER_FILE
from node.issuer.config import IssuerConfig
from node.ledger.config import FILE_NAME as NODE_FILE
from node.ledger.config import NodeConfig
from node.ledger.genesis import ADMIN_ACCOUNT, load_genesis
from node.observer.config import FILE_NAME as PAGE_FILE
from node.observer.config import ObserverConfig
from node.web.server import parse_address

EXIT_FINDINGS: Final = 6
_MIN_PYTHON: Final = (3, 11)
_MIN_FREE_BYTES: Final = 1 << 30
_MAX_SKEW_S: Final = 5.0
_TIMEOUT_S: Final = 3.0
_KINDS: Final[dict[str, type[ProcessConfig]]] = {
    NODE_FILE: NodeConfig,
    ISSUER_FILE: IssuerConfig,
    GATEWAY_FILE: GatewayConfig,
    PAGE_FILE: ObserverConfig,
    ESCROW_FILE: EscrowConfig,
    FACE_FILE: FaceConfig,
}
_DEPTHS: Final = ("", "*/", "*/*/")
_SECRET_ENDINGS: Final = (".priv", ".key", ".jwk", ".share")
_MARKS: Final = {"good": "[green]✓[/]", "note": "[yellow]![/]", "bad": "[bold red]✗[/]"}

Grade = Literal["good", "note", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, and what was found.

    Attributes:
        grade: `note` is worth knowing, `bad` must be mended.
        subject: What was looked at.
        text: What was found.
        mend: What to do; empty where nothing is to be done.
    """

    grade: Grade
    subject: str
    text: str
    mend: str = ""


def examine(folder: Path | None) -> Iterator[Finding]:
    """Yield what is found, one thing after the other.

    Args:
        folder: Of one service, or of several side by side, as `tegata up` makes it; None to look at
            the machine alone.
    """
    yield _examine_python()
    yield from _examine_native_parts()
    if folder is None:
        return
    yield _examine_disk(folder)
    files = sorted(
        path for name in _KINDS for depth in _DEPTHS for path in folder.glob(f"{depth}{name}")
    )
    if not files:
        yield Finding(
            grade="bad",
            subject=str(folder),
            text="no service has its configuration here",
            mend=f"Make one: tegata up {folder}, or tegata node init {folder}",
        )
    for path in files:
        yield from _examine_service(path)


def _examine_python() -> Finding:
    found = sys.version_info[:3]
    text = ".".join(map(str, found))
    if found < _MIN_PYTHON:
        return Finding(
            grade="bad", subject="Python", text=text, mend="Install Python 3.11 or later."
        )
    return Finding(grade="good", subject="Python", text=f"{text}, tegata {version('tegata')}")


def _examine_native_parts() -> Iterator[Finding]:
    for name, what in (
        ("tegata_ed25519", "the ledger's signature checks"),
        ("tegata_es256", "the credentials' signatures"),
        ("tegata_grpc", "Torii's server"),
    ):
        if find_spec(name) is None:
            yield Finding(
                grade="note",
                subject=name,
                text=f"not built: a library does the work of {what}, more slowly",
                mend="Install a Rust compiler, then run `make native`.",
            )
        else:
            yield Finding(grade="good", subject=name, text="built")


def _examine_disk(folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(
            grade="bad",
            subject=str(folder),
            text=f"cannot be read: {error.strerror}",
            mend="Name a folder that is there, or make one with `tegata up`.",
        )
    text = f"{free / (1 << 30):.1f} GiB free"
    if free < _MIN_FREE_BYTES:
        return Finding(
            grade="bad",
            subject="disk",
            text=text,
            mend="Make room: a node that cannot write stops rather than lose a block.",
        )
    return Finding(grade="good", subject="disk", text=text)


def _examine_service(path: Path) -> Iterator[Finding]:
    try:
        config = load_config(path, _KINDS[path.name])
    except ConfigError as error:
        yield Finding(
            grade="bad",
            subject=path.name,
            text=str(error),
            mend=f"Mend that key in {path}; its command's `init` shows how it looks.",
        )
        return
    yield Finding(grade="good", subject=path.name, text="can be used")
    yield from _examine_modes(path.parent)
    if isinstance(config, NodeConfig):
        yield _examine_node(path, config)
        if is_exposed(config.torii, None):
            yield _examine_exposure(path, config)
        return
    access = getattr(config, "ledger", None)
    if isinstance(config, EscrowConfig) and config.recovery is not None:
        access = config.recovery.ledger
    if isinstance(access, LedgerAccess):
        yield _examine_access(path, access)
        if is_exposed(access.address, access.root_certificates_file):
            yield Finding(
                grade="note",
                subject=f"{path.name}: ledger",
                text=f"{access.address} is spoken to without TLS over a network",
                mend="Name the node's port for TLS and root_certificates_file, or keep that "
                "network private.",
            )
    listen = getattr(config, "listen", None)
    if isinstance(listen, str):
        yield from _examine_http(path, listen)


def _examine_modes(folder: Path) -> Iterator[Finding]:
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _SECRET_ENDINGS or not path.is_file() or _is_public_jwk(path):
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield Finding(
                grade="bad",
                subject=path.name,
                text=f"others can read this key: its mode is {mode:o}",
                mend=f"chmod 600 {path}; if others had it, make a new key",
            )


def _is_public_jwk(path: Path) -> bool:
    try:
        return path.suffix == ".jwk" and "d" not in parse_strict_json_object(path.read_bytes())
    except (OSError, CredentialFormatError):
        return False


def _examine_node(path: Path, config: NodeConfig) -> Finding:
    try:
        ledger = block_hash(load_genesis(config.genesis)).hex()
    except ConfigError as error:
        return Finding(
            grade="bad", subject="genesis", text=str(error), mend="Bring the file back from a copy."
        )
    try:
        with _client(config.torii) as client:
            height = client.height()
    except ClientError:
        return _not_running(path, config.torii, f"tegata node start {path.parent}")
    text = f"runs at {config.torii}, height {height}, ledger {ledger[:16]}…"
    return Finding(grade="good", subject="ledger node", text=text)


def _examine_exposure(path: Path, config: NodeConfig) -> Finding:
    if config.torii_tls is None:
        mend = f"Name a port for TLS, torii_tls, in {path}, and bind torii to 127.0.0.1."
    else:
        mend = f"Bind torii to 127.0.0.1 in {path}: clients have {config.torii_tls.address}."
    return Finding(
        grade="note",
        subject="ledger node",
        text=f"{config.torii} is reached from other machines, and has no TLS",
        mend=mend,
    )


def _examine_access(path: Path, access: LedgerAccess) -> Finding:
    subject = f"{path.name}: ledger"
    try:
        key = AccountKey.load(access.private_key_file)
    except ClientError as error:
        return Finding(
            grade="bad",
            subject=subject,
            text=str(error),
            mend="Bring the key back from a copy; without it the account cannot act.",
        )
    try:
        with LedgerClient(
            access.address,
            access.account,
            key,
            timeout_s=_TIMEOUT_S,
            root_certificates=access.load_root_certificates(),
        ) as client:
            found = client.ledger_id()
    except (ClientError, ConfigError) as error:
        return Finding(
            grade="bad",
            subject=subject,
            text=str(error),
            mend=f"See whether the node runs at {access.address}, and knows {access.account}.",
        )
    if found != access.ledger_id:
        return Finding(
            grade="bad",
            subject=subject,
            text=f"the node at {access.address} belongs to another ledger, {found[:16]}…",
            mend=f"Correct ledger.address or ledger.ledger_id in {path}.",
        )
    return Finding(grade="good", subject=subject, text=f"{access.account} is known to the node")


def _examine_http(path: Path, listen: str) -> Iterator[Finding]:
    name = path.parent.name
    try:
        answer = requests.get(f"http://{listen}/healthz", timeout=_TIMEOUT_S)
        health = answer.json()
        found = str(health["version"])
    except requests.ConnectionError:
        yield _not_running(path, listen, f"the `start` command of {path.parent}")
        return
    except (requests.RequestException, ValueError, TypeError, KeyError):
        yield Finding(
            grade="bad",
            subject=name,
            text=f"something else answers at {listen}",
            mend=f"Choose another `listen` in {path}, or stop what answers there.",
        )
        return
    if found != version("tegata"):
        yield Finding(
            grade="note",
            subject=name,
            text=f"runs as version {found}, and {version('tegata')} is installed",
            mend="Start it again.",
        )
    else:
        yield Finding(grade="good", subject=name, text=f"runs at {listen}, version {found}")
    yield from _examine_clock(name, answer.headers.get("Date"))


def _examine_clock(name: str, date: str | None) -> Iterator[Finding]:
    if date is None:
        return
    skew_s = abs(time.time() - parsedate_to_datetime(date).astimezone(UTC).timestamp())
    if skew_s > _MAX_SKEW_S:
        yield Finding(
            grade="bad",
            subject=f"{name}: clock",
            text=f"its clock and this machine's are {skew_s:.0f} s apart",
            mend="Let both follow a time server: signatures and credentials have times.",
        )


def _not_running(path: Path, address: str, start: str) -> Finding:
    name = path.parent.name
    host, port = parse_address(address)
    if _is_taken(host, port):
        return Finding(
            grade="bad",
            subject=name,
            text=f"does not answer, and something else holds {address}",
            mend=f"Stop what holds it, or choose another address in {path}.",
        )
    return Finding(
        grade="note", subject=name, text=f"does not run at {address}", mend=f"Start it: {start}"
    )


def _is_taken(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S):
            return True
    except OSError:
        return False


def _client(address: str) -> LedgerClient:
    # Health is told to everybody: the key signs nothing.
    return LedgerClient(address, ADMIN_ACCOUNT, AccountKey.generate(), timeout_s=_TIMEOUT_S)


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@json_option
def doctor(folder: Path | None, as_json: bool) -> None:
    """Say what is wrong with this machine and the services in FOLDER, and how to mend it.

    FOLDER is that of one service, or of several side by side. Nothing is changed.
    """
    findings = list(examine(folder))
    if as_json:
        show_rows([asdict(finding) for finding in findings], empty="", as_json=True)
    else:
        _print(findings)
    if any(finding.grade == "bad" for finding in findings):
        raise SystemExit(EXIT_FINDINGS)


def _print(findings: list[Finding]) -> None:
    console = Console(highlight=False)
    for finding in findings:
        console.print(_MARKS[finding.grade], end=" ")
        console.print(plain(f"{finding.subject}: {finding.text}"), soft_wrap=True)
        if finding.mend:
            console.print(plain(f"  → {finding.mend}", "cyan"), soft_wrap=True)
