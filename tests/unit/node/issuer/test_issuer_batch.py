"""A city's credentials made beforehand: anchored by one transaction, collected by offer."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.issuer_world import ISSUER, IssuerWorld
from support.presentation_world import key_of_account
from support.residents import KEY, batch_job, read_letters, resident_row, write_csv

from chaincode.records import BatchRecord, StatusListRecord
from client_sdk.credentials.jose import generate_key, parse_compact
from client_sdk.credentials.sd_jwt_vc import anchor_hash
from client_sdk.errors import TransportError
from client_sdk.ledger.batches import PART_LEAVES, Inclusion
from client_sdk.openid4vci.credential_offer import PRE_AUTHORIZED_CODE, OfferReference
from client_sdk.openid4vci.credential_offer import parse_offer_link as parse_link
from node.errors import SourceError, StorageError
from node.issuer import batch_issuing
from node.issuer.batch_issuing import FinishedBatch
from node.issuer.residents import COLUMNS, CsvResidents, DatabaseResidents, Residents


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[IssuerWorld]:
    made = IssuerWorld(tmp_path, database_url=database_url)
    yield made
    made.store.close()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_issuing, "CHUNK", 4)


HEADER = ",".join(COLUMNS) + "\n"


class Killed(BaseException):
    """Stands for SIGKILL between two steps; a real one is in `tests/crash/`."""


def run(
    world: IssuerWorld,
    source: Residents,
    folder: Path,
    *,
    letters: str = "letters.csv",
    workers: int = 1,
    die_at: tuple[str, int] | None = None,
) -> FinishedBatch:
    def progress(step: str, done: int, _total: int) -> None:
        if (step, done) == die_at:
            raise Killed

    return batch_job(world, workers=workers).run(source, folder / letters, progress=progress)


def collect(
    world: IssuerWorld, letter: dict[str, str], *, key: object = None, account: str | None = None
) -> tuple[int, dict[str, object]]:
    """Redeem a letter as a wallet does, and return status and answer."""
    reference = parse_link(letter["offer"])
    assert isinstance(reference, OfferReference)
    path = reference.uri.removeprefix(world.config.public_url)
    grants = world.http.get(path).get_json()["grants"]
    code = grants[PRE_AUTHORIZED_CODE]["pre-authorized_code"]
    token = world.redeem(code, letter["tx_code"]).get_json()["access_token"]
    holder_key = key_of_account(KEY) if key is None else key
    proof = world.proof(holder_key, world.nonce(), account=account)  # type: ignore[arg-type]
    answer = world.request_credential(token, proof)
    return answer.status_code, answer.get_json()


def check_anchored(world: IssuerWorld, element: dict[str, str], batch_id: str) -> Inclusion:
    inclusion = Inclusion.from_json(element["tegata_inclusion"])
    assert inclusion.batch == batch_id
    record = world.ledger.client(ISSUER).record(ISSUER, batch_id, BatchRecord)
    assert record is not None
    inclusion.check(anchor_hash(element["credential"].partition("~")[0]), record)
    return inclusion


def rows(count: int) -> list[dict[str, str]]:
    return [resident_row(number) for number in range(1, count + 1)]


def test_each_resident_collects_the_credential_that_was_anchored(
    world: IssuerWorld, tmp_path: Path
) -> None:
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(11)))
    height = len(world.ledger.blocks)
    finished = run(world, source, tmp_path)
    # The status list and the batch: no more, however many residents there are.
    assert len(world.ledger.blocks) == height + 2
    letters = read_letters(tmp_path / "letters.csv")
    assert [letter["reference"] for letter in letters] == [row["reference"] for row in rows(11)]
    assert (tmp_path / "letters.csv").stat().st_mode & 0o777 == 0o600
    places, indices = [], set()
    for letter in letters:
        status, answer = collect(world, letter)
        assert status == 200, answer
        (element,) = answer["credentials"]  # type: ignore[misc]
        places.append(check_anchored(world, element, finished.batch_id).index)
        payload = parse_compact(element["credential"].partition("~")[0]).unverified_payload
        assert payload["tegata"]["status"] == finished.status_list  # type: ignore[index,call-overload]
        indices.add(payload["status"]["status_list"]["idx"])  # type: ignore[index,call-overload]
    # Shuffled: their order in the batch is not that of the residents.
    assert sorted(places) == list(range(11))
    assert places != sorted(places)
    assert len(indices) == 11
    listed = world.operator("/credentials?limit=500", method="GET").get_json()["credentials"]
    assert len(listed) == 11


def test_the_operator_revokes_what_was_made_beforehand(world: IssuerWorld, tmp_path: Path) -> None:
    finished = run(world, CsvResidents(write_csv(tmp_path / "r.csv", rows(2))), tmp_path)
    (listed,) = world.operator("/credentials?reference=case-0000002", method="GET").get_json()[
        "credentials"
    ]
    answer = world.operator(f"/credentials/{listed['record']}/revoke")
    assert answer.get_json()["state"] == "revoked"
    record = world.ledger.client(ISSUER).record(ISSUER, finished.status_list, StatusListRecord)
    assert record is not None
    assert record.version == 2


def test_a_large_batch_is_proven_part_by_part(
    world: IssuerWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_issuing, "CHUNK", 500)
    count = PART_LEAVES + 3
    finished = run(world, CsvResidents(write_csv(tmp_path / "r.csv", rows(count))), tmp_path)
    letters = read_letters(tmp_path / "letters.csv")
    found = set()
    for letter in letters[:: count // 12]:
        _, answer = collect(world, letter)
        (element,) = answer["credentials"]  # type: ignore[misc]
        found.add(check_anchored(world, element, finished.batch_id).index)
    assert len(found) >= 12


def test_processes_sign_as_this_one_does(world: IssuerWorld, tmp_path: Path) -> None:
    source = CsvResidents(write_csv(tmp_path / "r.csv", rows(30)))
    finished = run(world, source, tmp_path, workers=2)
    letters = read_letters(tmp_path / "letters.csv")
    assert [letter["reference"] for letter in letters] == [row["reference"] for row in rows(30)]
    _, answer = collect(world, letters[17])
    (element,) = answer["credentials"]  # type: ignore[misc]
    check_anchored(world, element, finished.batch_id)


def test_another_key_collects_nothing(world: IssuerWorld, tmp_path: Path) -> None:
    run(world, CsvResidents(write_csv(tmp_path / "r.csv", rows(1))), tmp_path)
    (letter,) = read_letters(tmp_path / "letters.csv")
    status, answer = collect(world, letter, key=generate_key())
    assert (status, answer["error"]) == (400, "invalid_proof")


def test_what_was_made_is_offered_in_the_format_that_it_has(
    world: IssuerWorld, tmp_path: Path
) -> None:
    """Else a wallet that wants another would use the offer up in vain."""
    run(world, CsvResidents(write_csv(tmp_path / "r.csv", rows(1))), tmp_path)
    (letter,) = read_letters(tmp_path / "letters.csv")
    reference = parse_link(letter["offer"])
    assert isinstance(reference, OfferReference)
    offer = world.http.get(reference.uri.removeprefix(world.config.public_url)).get_json()
    assert offer["credential_configuration_ids"] == ["resident"]
    details = [{"type": "openid_credential", "credential_configuration_id": "resident_jwt_vc_json"}]
    form = {
        "grant_type": PRE_AUTHORIZED_CODE,
        "pre-authorized_code": offer["grants"][PRE_AUTHORIZED_CODE]["pre-authorized_code"],
        "tx_code": letter["tx_code"],
        "authorization_details": json.dumps(details),
    }
    refused = world.http.post("/token", data=form)
    assert refused.get_json()["error"] == "invalid_authorization_details"
    assert collect(world, letter)[0] == 200


# Broken off


DEATHS = [("signed", 4), ("signed", 8), ("signed", 11), ("sealed", 11)]


@pytest.mark.parametrize("die_at", DEATHS, ids=str)
def test_a_run_goes_on_where_it_was(
    world: IssuerWorld, tmp_path: Path, die_at: tuple[str, int]
) -> None:
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(11)))
    with pytest.raises(Killed):
        run(world, source, tmp_path, die_at=die_at)
    finished = run(world, source, tmp_path)
    letters = read_letters(tmp_path / "letters.csv")
    assert [letter["reference"] for letter in letters] == [row["reference"] for row in rows(11)]
    for letter in letters:
        status, answer = collect(world, letter)
        assert status == 200
        (element,) = answer["credentials"]  # type: ignore[misc]
        check_anchored(world, element, finished.batch_id)
    again = run(world, source, tmp_path)
    assert again == finished


def test_two_processes_do_not_make_the_same_batch(world: IssuerWorld, tmp_path: Path) -> None:
    """Who thinks that it hangs may start it again: each letter must stay the one of its offer."""
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(11)))
    refused: list[str] = []

    def progress(step: str, done: int, _total: int) -> None:
        if (step, done) == ("signed", 4):
            with pytest.raises(StorageError) as error:
                run(world, source, tmp_path)
            refused.append(str(error.value))

    batch_job(world).run(source, tmp_path / "letters.csv", progress=progress)
    assert "another process is writing" in refused[0]
    letters = read_letters(tmp_path / "letters.csv")
    assert [letter["reference"] for letter in letters] == [row["reference"] for row in rows(11)]
    assert {collect(world, letter)[0] for letter in letters} == {200}


def test_no_resident_gets_two_credentials_where_files_cannot_be_locked(
    world: IssuerWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(11)))

    def progress(step: str, done: int, _total: int) -> None:
        if (step, done) == ("signed", 4):
            run(world, source, tmp_path)

    with pytest.raises(StorageError, match="another process is making"):
        batch_job(world).run(source, tmp_path / "letters.csv", progress=progress)
    listed = world.operator("/credentials?limit=500", method="GET").get_json()["credentials"]
    assert len(listed) == 11


def test_letters_of_a_lost_chunk_are_cut_off(world: IssuerWorld, tmp_path: Path) -> None:
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(11)))
    with pytest.raises(Killed):
        run(world, source, tmp_path, die_at=("signed", 4))
    with (tmp_path / "letters.csv").open("a", encoding="utf-8") as file:
        file.write("case-0000005,openid-credential-offer://half-writ")
    run(world, source, tmp_path)
    letters = read_letters(tmp_path / "letters.csv")
    assert [letter["reference"] for letter in letters] == [row["reference"] for row in rows(11)]


def test_nothing_is_collected_before_it_is_anchored(world: IssuerWorld, tmp_path: Path) -> None:
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(5)))
    with pytest.raises(Killed):
        run(world, source, tmp_path, die_at=("sealed", 5))
    status, answer = collect(world, read_letters(tmp_path / "letters.csv")[0])
    assert (status, answer["error"]) == (503, "temporarily_unavailable")


def test_a_ledger_that_is_away_is_tried_again(world: IssuerWorld, tmp_path: Path) -> None:
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(5)))
    with pytest.raises(Killed):
        run(world, source, tmp_path, die_at=("signed", 5))
    world.ledger.reachable = False
    with pytest.raises(TransportError):
        run(world, source, tmp_path)
    world.ledger.reachable = True
    finished = run(world, source, tmp_path)
    assert finished.count == 5


def test_letters_that_are_gone_stop_the_run(world: IssuerWorld, tmp_path: Path) -> None:
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(11)))
    with pytest.raises(Killed):
        run(world, source, tmp_path, die_at=("signed", 8))
    (tmp_path / "letters.csv").unlink()
    with pytest.raises(StorageError, match="letters of this run are gone"):
        run(world, source, tmp_path)


def test_a_file_that_is_there_is_not_written_over(world: IssuerWorld, tmp_path: Path) -> None:
    (tmp_path / "letters.csv").write_text("kept", encoding="utf-8")
    source = CsvResidents(write_csv(tmp_path / "residents.csv", rows(1)))
    with pytest.raises(StorageError, match="there already"):
        run(world, source, tmp_path)
    assert (tmp_path / "letters.csv").read_text(encoding="utf-8") == "kept"


# Sources


BAD_ROWS: list[tuple[dict[str, str], str]] = [
    ({"reference": ""}, "reference"),
    ({"reference": "case-0000001"}, "ascending"),
    ({"reference": "case 3"}, "reference"),
    ({"reference": "123456789018"}, "reference"),
    ({"name": ""}, "name"),
    ({"address": "x" * 401}, "address"),
    ({"birth_date": "1.4.1990"}, "birth_date"),
    ({"birth_date": ""}, "birth_date"),
    ({"birth_date": "19900401"}, "birth_date"),
    ({"birth_date": "1990-W13-7"}, "birth_date"),
    ({"birth_date": "1990-02-30"}, "birth_date"),
    ({"sex": "3"}, "sex"),
    ({"public_key": ""}, "public_key"),
    ({"public_key": "ab" * 32}, "public_key"),
    ({"public_key": "zz"}, "public_key"),
    ({"account": "nobody"}, "account"),
]


@pytest.mark.parametrize("birth_date", ["2999-01-01", "1790-01-01"])
def test_who_is_not_born_yet_is_named_before_anything_is_written(
    world: IssuerWorld, tmp_path: Path, birth_date: str
) -> None:
    bad = [*rows(5), resident_row(6, birth_date=birth_date)]
    with pytest.raises(SourceError, match="case-0000006: birth_date"):
        run(world, CsvResidents(write_csv(tmp_path / "r.csv", bad)), tmp_path)
    assert not (tmp_path / "letters.csv").exists()
    assert world.operator("/credentials", method="GET").get_json()["credentials"] == []


@pytest.mark.parametrize(("changes", "words"), BAD_ROWS, ids=str)
def test_a_bad_row_is_named_before_anything_is_written(
    world: IssuerWorld, tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    bad = [*rows(2), resident_row(3, **changes)]
    with pytest.raises(SourceError, match=f"line 4.*{words}") as refused:
        run(world, CsvResidents(write_csv(tmp_path / "r.csv", bad)), tmp_path)
    for value in changes.values():
        assert len(value) < 6 or value not in str(refused.value)
    assert not (tmp_path / "letters.csv").exists()
    assert world.operator("/credentials", method="GET").get_json()["credentials"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line"),
        ("reference,name\n", "first line"),
        (HEADER, "no residents"),
        (
            HEADER + "a,b\n",
            "as many fields",
        ),
        (
            HEADER + "a,b,c,d,1990-04-01,1,k,,more\n",
            "as many fields",
        ),
        (HEADER + '"a', "no CSV"),
    ],
    ids=["empty", "columns", "no row", "short row", "long row", "open quote"],
)
def test_a_file_that_is_no_list_of_residents(
    world: IssuerWorld, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=words):
        run(world, CsvResidents(tmp_path / "r.csv"), tmp_path)


def test_a_file_in_another_encoding(world: IssuerWorld, tmp_path: Path) -> None:
    write_csv(tmp_path / "r.csv", rows(1))
    text = (tmp_path / "r.csv").read_text(encoding="utf-8")
    (tmp_path / "r.csv").write_bytes(text.encode("cp932"))
    with pytest.raises(SourceError, match="no CSV in UTF-8"):
        run(world, CsvResidents(tmp_path / "r.csv"), tmp_path)


def test_residents_of_a_database(world: IssuerWorld, tmp_path: Path) -> None:
    names = list(resident_row(1))
    with sqlite3.connect(tmp_path / "city.db") as city:
        city.execute(f"CREATE TABLE people ({', '.join(names)})")
        values = [
            tuple(value or None for value in resident_row(number).values())
            for number in (3, 1, 2, 5, 4, 6)
        ]
        marks = ", ".join("?" * len(names))
        city.executemany(f"INSERT INTO people VALUES ({marks})", values)
    source = DatabaseResidents(f"sqlite:///{tmp_path / 'city.db'}", "people")
    with pytest.raises(Killed):
        run(world, source, tmp_path, die_at=("signed", 4))
    finished = run(world, source, tmp_path)
    letters = read_letters(tmp_path / "letters.csv")
    assert [letter["reference"] for letter in letters] == [row["reference"] for row in rows(6)]
    _, answer = collect(world, letters[4])
    (element,) = answer["credentials"]  # type: ignore[misc]
    check_anchored(world, element, finished.batch_id)


@pytest.mark.parametrize("url", ["sqlite:///{}/city.db", "nothing://", "postgresql+no://secret@x"])
def test_a_database_that_cannot_be_read(world: IssuerWorld, tmp_path: Path, url: str) -> None:
    with pytest.raises(SourceError, match="cannot be read") as refused:
        run(world, DatabaseResidents(url.format(tmp_path), "people"), tmp_path)
    assert "secret" not in str(refused.value)


def test_residents_who_left_meanwhile_are_told(world: IssuerWorld, tmp_path: Path) -> None:
    names = list(resident_row(1))
    with sqlite3.connect(tmp_path / "city.db") as city:
        city.execute(f"CREATE TABLE people ({', '.join(names)})")
        marks = ", ".join("?" * len(names))
        values = [tuple(resident_row(number).values()) for number in range(1, 9)]
        city.executemany(f"INSERT INTO people VALUES ({marks})", values)
    source = DatabaseResidents(f"sqlite:///{tmp_path / 'city.db'}", "people")
    with pytest.raises(Killed):
        run(world, source, tmp_path, die_at=("signed", 4))
    with sqlite3.connect(tmp_path / "city.db") as city:
        city.execute("DELETE FROM people WHERE reference = 'case-0000007'")
    with pytest.raises(SourceError, match="8 residents were there at the start, and 7 are now"):
        run(world, source, tmp_path)
