"""`tegata issuer batch`: make the credentials of many residents beforehand."""

import os
import time
from contextlib import closing
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from client_sdk.credentials.jose import Key, export_private_jwk
from client_sdk.issuer import Issuer
from node.cli.output import json_option, show
from node.config import load_config
from node.errors import ConfigError
from node.issuer.app import build_status_lists
from node.issuer.batch_issuing import BatchIssuing
from node.issuer.batch_signing import SigningTerms
from node.issuer.config import FILE_NAME, IssuerConfig, load_signer
from node.issuer.credential_certificates import load_credential_certificates
from node.issuer.residents import CsvResidents, DatabaseResidents, Residents
from node.issuer.store import IssuerStore
from node.service_account import ServiceAccount

_WORDS = {"checked": "Checking", "signed": "Signing", "sealed": "Sealing"}


class _Bars:
    """A bar for each step, made when the step begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(_WORDS[step], total=total or None)
        self._progress.update(self._tasks[step], completed=done)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Residents as CSV.",
)
@click.option("--database", "database_url", help="Or a database that has them: SQLAlchemy's URL.")
@click.option("--table", default="residents", show_default=True, help="Its table or view.")
@click.option(
    "--letters",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write offer links and transaction codes to; it stands for this run.",
)
@click.option(
    "--offer-days",
    default=90,
    show_default=True,
    type=click.IntRange(1, 3660),
    help="How long residents can collect.",
)
@click.option(
    "--workers",
    default=os.cpu_count() or 1,
    type=click.IntRange(1, 256),
    help="How many processes sign; one a core by default.",
)
@json_option
def batch(
    folder: Path,
    csv_file: Path | None,
    database_url: str | None,
    table: str,
    letters: Path,
    offer_days: int,
    workers: int,
    as_json: bool,
) -> None:
    """Make credentials for residents, anchor them as one batch, and leave them to be collected.

    Columns: reference (ascending), name, address, municipality, birth_date, sex, public_key,
    account. A run that was broken off goes on where it was when the same command is given again.
    """
    config = load_config(folder / FILE_NAME, IssuerConfig)
    signing_key = load_signer(config)
    if not isinstance(signing_key, Key):
        raise ConfigError("authorities read each credential that they sign: they make no batches")
    ledger = ServiceAccount(config.ledger).connect()
    residents = _source(csv_file, database_url, table)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with (
        ledger,
        closing(IssuerStore(config.database_url)) as store,
        Progress(*columns, TimeRemainingColumn(), console=console, disable=as_json) as progress,
    ):
        issuer = Issuer(
            ledger,
            config.ledger.ledger_id,
            account=config.ledger.account,
            issuer_record=config.issuer_record,
            signing_key=signing_key,
            issuer_url=config.public_url,
        )
        status_lists = build_status_lists(config, store, issuer, signing_key, now_ms=_now_ms)
        job = BatchIssuing(
            store,
            issuer.anchor,
            status_lists,
            SigningTerms(
                ledger_id=config.ledger.ledger_id,
                account=config.ledger.account,
                public_url=config.public_url,
                signing_jwk=export_private_jwk(signing_key),
                certificates=load_credential_certificates(config, signing_key),
            ),
            credential_days=config.credential_days,
            offer_days=offer_days,
            workers=workers,
            now_ms=_now_ms,
        )
        finished = job.run(residents, letters, progress=_Bars(progress))
    show(
        {
            "batch": finished.batch_id,
            "credentials": finished.count,
            "status_list": finished.status_list,
            "letters": str(letters),
        },
        as_json=as_json,
    )


def _source(csv_file: Path | None, database_url: str | None, table: str) -> Residents:
    match csv_file, database_url:
        case Path() as path, None:
            return CsvResidents(path)
        case None, str() as url:
            return DatabaseResidents(url, table)
        case _:
            raise click.UsageError("either --csv or --database is needed")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
