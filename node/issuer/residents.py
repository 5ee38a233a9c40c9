"""The residents of a city, as they stand in a CSV file or in a database: read row by row."""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Protocol, cast

from sqlalchemy import column, create_engine, select, table
from sqlalchemy.exc import SQLAlchemyError

from chaincode.encoding import JsonObject, encode_base64url
from chaincode.errors import DecodeError
from chaincode.ids import ACCOUNT_ID
from chaincode.signatures import KeyAlgorithm, parse_public_key
from client_sdk.credentials.individual_number import has_individual_number
from client_sdk.credentials.resident import ResidentAttributes, Sex
from client_sdk.errors import CredentialFormatError
from node.errors import SourceError

COLUMNS: Final = (
    "reference",
    "name",
    "address",
    "municipality",
    "birth_date",
    "sex",
    "public_key",
    "account",
)
"""All are needed; `account` may be empty, for a credential that names none."""
_REFERENCE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_READ_AHEAD: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """Who gets a credential, and which key it is bound to.

    Attributes:
        reference: The city's own case number.
        attributes: What is attested.
        holder_key: The public JWK of the wallet's key, which the city knows from its enrolment.
        account: The wallet's ledger account; None for none.
    """

    reference: str
    attributes: ResidentAttributes
    holder_key: JsonObject
    account: str | None


class Residents(Protocol):
    """Where residents are read, in ascending order of their references, each once."""

    def fingerprint(self) -> str:
        """Return what tells this source from another, 64 hex digits."""

    def rows(self, after: str) -> Iterator[Resident]:
        """Yield the residents whose reference is greater than `after`.

        Raises:
            SourceError: A row is not acceptable; the text says which and why.
        """


class CsvResidents:
    """A CSV file in UTF-8 with `COLUMNS` in its first line."""

    def __init__(self, path: Path) -> None:
        """Take a file; it is opened when it is read."""
        self._path = path

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file.

        Raises:
            SourceError: It cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read: {error.strerror}") from None

    def rows(self, after: str) -> Iterator[Resident]:
        """Yield the residents whose reference is greater than `after`."""
        last = ""
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, strict=True)
                if sorted(reader.fieldnames or ()) != sorted(COLUMNS):
                    raise SourceError(
                        f"{self._path}: the first line names the columns {', '.join(COLUMNS)}, "
                        "and no others"
                    )
                for row in reader:
                    where = f"{self._path}, line {reader.line_num}"
                    last = _next_reference(row, last, where)
                    if last > after:
                        yield _parse(row, where)
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read: {error.strerror}") from None
        except (csv.Error, UnicodeDecodeError) as error:
            raise SourceError(f"{self._path}: no CSV in UTF-8: {type(error).__name__}") from None


class DatabaseResidents:
    """A table or view with `COLUMNS`, reached by a URL of SQLAlchemy's."""

    def __init__(self, url: str, table_name: str) -> None:
        """Take a database; it is opened when it is read.

        Args:
            url: SQLAlchemy's URL. It may hold a password, and is told nobody.
            table_name: The table's or view's name.
        """
        self._url = url
        self._table = table(table_name, *(column(name) for name in COLUMNS))

    def fingerprint(self) -> str:
        """Return a hash of the URL and the table's name."""
        return hashlib.sha256(f"{self._table.name}\n{self._url}".encode()).hexdigest()

    def rows(self, after: str) -> Iterator[Resident]:
        """Yield the residents whose reference is greater than `after`."""
        last = ""
        number = self._table.c.reference
        query = select(self._table).where(number > after).order_by(number)
        try:
            engine = create_engine(self._url, hide_parameters=True)
            with engine.connect() as connection:
                found = connection.execution_options(yield_per=_READ_AHEAD).execute(query)
                for row in found.mappings():
                    fields = {
                        name: "" if value is None else str(value) for name, value in row.items()
                    }
                    where = f"table {self._table.name}, reference {fields['reference']}"
                    last = _next_reference(fields, last, where)
                    yield _parse(fields, where)
            engine.dispose()
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            raise SourceError(
                f"table {self._table.name}: cannot be read: {type(error).__name__}; are URL, table "
                f"and the columns {', '.join(COLUMNS)} right?"
            ) from None


def _next_reference(row: Mapping[str, str | None], last: str, where: str) -> str:
    reference = row.get("reference") or ""
    if not _REFERENCE.fullmatch(reference) or has_individual_number(reference):
        raise SourceError(
            f"{where}: reference: 1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen are "
            "expected, and no individual number"
        )
    if reference <= last:
        raise SourceError(
            f"{where}: reference: ascending order is expected (by byte), and each once"
        )
    return reference


def _parse(row: Mapping[str, str | None], where: str) -> Resident:
    fields = {name: row.get(name) or "" for name in COLUMNS}
    # DictReader gathers what is too much under None.
    if row.keys() - set(COLUMNS) or None in row.values():
        raise SourceError(f"{where}: it has not as many fields as the first line")
    account = fields["account"]
    if account and not ACCOUNT_ID.fullmatch(account):
        raise SourceError(f"{where}: account: an account id, or nothing, is expected")
    if not _DAY.fullmatch(fields["birth_date"]):
        raise SourceError(f"{where}: birth_date: a day as YYYY-MM-DD is expected")
    try:
        key = parse_public_key(fields["public_key"])
        if key.algorithm is not KeyAlgorithm.ED25519_SHA2:
            raise SourceError(f"{where}: public_key: ed0120 and 64 hex digits are expected")
        attributes = ResidentAttributes(
            name=fields["name"],
            address=fields["address"],
            municipality=fields["municipality"],
            birth_date=date.fromisoformat(fields["birth_date"]),
            sex=cast(Sex, fields["sex"]),
        )
    except DecodeError as error:
        raise SourceError(f"{where}: public_key: {error}") from None
    except CredentialFormatError as error:
        raise SourceError(f"{where}: {error}") from None
    except ValueError:
        raise SourceError(f"{where}: birth_date: there is no such day") from None
    return Resident(
        reference=fields["reference"],
        attributes=attributes,
        holder_key={"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(key.raw)},
        account=account or None,
    )
