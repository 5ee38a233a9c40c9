"""A city's credentials made beforehand: `tegata issuer batch` as a process, over a real ledger.

Beside its rate stands PyPI `sd-jwt`, which signs the same claims and does nothing else; beside its
memory stands the same run with few residents.
"""

import csv
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, Self

from jwcrypto.jwk import JWK  # type: ignore[import-untyped]
from sd_jwt.common import SDObj  # type: ignore[import-untyped]
from sd_jwt.issuer import SDJWTIssuer  # type: ignore[import-untyped]

from benchmarks.figures import Figure, Step, Unit
from client_sdk.credentials import jose
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.ledger.account_key import AccountKey
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ServiceProcess, run
from node.issuer.residents import COLUMNS

_FEW: Final = 1_000
_THEIRS: Final = 300
_MEBIBYTE: Final = 1024 * 1024


class IssuingBench:
    """A ledger with an issuer. A context; on leaving, the node is stopped."""

    def __init__(self, folder: Path, residents: int) -> None:
        """Prepare; entering starts the node.

        Args:
            folder: Where the files go.
            residents: How many the city has.
        """
        self._folder = folder / "city"
        self._residents = residents
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        ledger, issuer = self._folder / "ledger", self._folder / "issuer"
        torii, listen = free_addresses(2)
        run("node", "init", str(ledger), "--torii", torii)
        with ExitStack() as stack:
            node = ServiceProcess(("node", "start", str(ledger)), self._folder / "node.log")
            stack.callback(node.stop)
            run(
                *("issuer", "init", str(issuer), "--network", str(ledger)),
                *("--account", "city@issuer", "--listen", listen),
            )
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def steps(self) -> Sequence[Step]:
        """Return what is measured here."""
        return [Step(name=f"a city of {self._residents:,}", take=partial(self._take))]

    def _take(self) -> Iterator[Figure]:
        few_seconds, few_mebibytes = self._issue(_FEW)
        seconds, mebibytes = self._issue(self._residents)
        yield Figure(
            group="issuing",
            name=f"{self._residents:,} residents: signed, sealed, anchored, left to be collected",
            unit=Unit.PER_SECOND,
            value=self._residents / seconds,
            peers={"sd-jwt, signing only, one process": _their_rate()},
        )
        yield Figure(
            group="issuing",
            name="the same, without what a run of 1,000 takes to start",
            unit=Unit.PER_SECOND,
            value=(self._residents - _FEW) / (seconds - few_seconds),
            peers={},
        )
        yield Figure(
            group="issuing",
            name="memory of its largest process",
            unit=Unit.MEBIBYTES,
            value=mebibytes,
            peers={f"with {_FEW:,} residents": few_mebibytes},
        )
        size = (self._folder / "issuer" / "issuer.db").stat().st_size
        yield Figure(
            group="issuing",
            name="database of the issuer, for each resident",
            unit=Unit.BYTES,
            value=size / (self._residents + _FEW),
            peers={},
        )

    def _issue(self, count: int) -> tuple[float, float]:
        """Return the seconds, and the MiB of the largest process, that a batch takes."""
        source = self._folder / f"residents-{count}.csv"
        _write_residents(source, count)
        command = (
            *(str(Path(sys.executable).parent / "tegata"), "issuer", "batch"),
            *(str(self._folder / "issuer"), "--csv", str(source), "--json"),
            *("--letters", str(self._folder / f"letters-{count}.csv")),
        )
        began = time.perf_counter()
        process = os.posix_spawn(command[0], command, os.environ)
        _, status, usage = os.wait4(process, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise RuntimeError(f"tegata issuer batch: exit status {status}")
        return time.perf_counter() - began, usage.ru_maxrss * 1024 / _MEBIBYTE


def _write_residents(path: Path, count: int) -> None:
    key = AccountKey.generate().public_key
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            (
                f"case-{number:08}",
                "手形 花子",
                f"青葉県青葉市緑町三丁目{number}番",
                "青葉市",
                "1990-04-01",
                "2",
                key,
                "",
            )
            for number in range(count)
        )


def _their_rate() -> float:
    issuer_key = JWK(**jose.export_private_jwk(jose.generate_key(jose.EDDSA)))
    holder_key = JWK(**jose.export_public_jwk(jose.generate_key(jose.EDDSA)))
    attributes = {
        "name": "手形 花子",
        "address": "青葉県青葉市緑町三丁目1番",
        "municipality": "青葉市",
        "birth_date": "1990-04-01",
        "age_over_18": True,
        "sex": "2",
        "credential_number": "7K3WQ-0D2MV-X9T4B-5NHRC",
    }
    began = time.perf_counter()
    for _ in range(_THEIRS):
        claims = {
            "iss": "https://city.example",
            "iat": 1_700_000_000,
            "vct": RESIDENT_CREDENTIAL_TYPE,
            **{SDObj(name): value for name, value in attributes.items()},
        }
        SDJWTIssuer(claims, issuer_key, holder_key, sign_alg="EdDSA")
    return _THEIRS / (time.perf_counter() - began)
