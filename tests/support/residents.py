"""A city's residents as CSV, and the job that makes their credentials over a ledger in memory."""

import csv
from pathlib import Path

from support.issuer_world import ISSUER, IssuerWorld

from client_sdk.credentials.jose import export_private_jwk
from client_sdk.issuer import Issuer
from client_sdk.ledger.account_key import AccountKey
from node.issuer.app import build_status_lists
from node.issuer.batch_issuing import BatchIssuing
from node.issuer.batch_signing import SigningTerms
from node.issuer.residents import COLUMNS

KEY = AccountKey.generate()


def resident_row(number: int, **changes: str) -> dict[str, str]:
    return {
        "reference": f"case-{number:07}",
        "name": "青葉 花子",
        "address": f"仙台市青葉区一番町{number}番",
        "municipality": "仙台市",
        "birth_date": "1990-04-01",
        "sex": "2",
        "public_key": KEY.public_key,
        "account": "",
        **changes,
    }


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_letters(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def batch_job(
    world: IssuerWorld, *, workers: int = 1, certificates: tuple[str, ...] = ()
) -> BatchIssuing:
    signing_key = world.signing_key
    issuer = Issuer(
        world.ledger.client(ISSUER),
        world.ledger_id,
        account=ISSUER,
        issuer_record=world.issuer_record,
        signing_key=signing_key,
        issuer_url=world.config.public_url,
        now_ms=world.clock,
    )
    lists = build_status_lists(world.config, world.store, issuer, signing_key, now_ms=world.clock)
    terms = SigningTerms(
        ledger_id=world.ledger_id,
        account=ISSUER,
        public_url=world.config.public_url,
        signing_jwk=export_private_jwk(signing_key),
        certificates=certificates,
    )
    return BatchIssuing(
        world.store,
        issuer.anchor,
        lists,
        terms,
        credential_days=365,
        offer_days=90,
        workers=workers,
        now_ms=world.clock,
    )
