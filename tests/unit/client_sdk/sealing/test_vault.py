import os
import signal
import stat
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client_sdk.errors import ClientError, VaultError, VaultFormatError, WrongPassphraseError
from client_sdk.sealing.vault import (
    CHEAPEST,
    INTERACTIVE,
    MAX_VAULT_BYTES,
    SENSITIVE,
    KdfProfile,
    Vault,
)

PASSPHRASE = "correct horse"
HEADER_BYTES = 34


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet"


def create(path: Path, contents: "dict[str, object] | None" = None) -> Vault:
    return Vault.create(path, PASSPHRASE, contents, profile=CHEAPEST)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_contents_come_back(path: Path) -> None:
    create(path, {"name": "青葉"}).save({"name": "花子", "list": [1, None, True]})
    assert Vault.open(path, PASSPHRASE).contents == {"name": "花子", "list": [1, None, True]}


def test_new_vault_is_empty(path: Path) -> None:
    create(path)
    assert Vault.open(path, PASSPHRASE).contents == {}


def test_contents_are_a_copy(path: Path) -> None:
    vault = create(path, {"list": []})
    vault.contents["list"].append(1)
    assert vault.contents == {"list": []}


@pytest.mark.parametrize(
    "passphrase", ["Correct horse", "", "correct horse ", "\ud800", "x" * 5000]
)
def test_wrong_passphrase_is_refused(path: Path, passphrase: str) -> None:
    create(path)
    with pytest.raises(VaultError):
        Vault.open(path, passphrase)


@pytest.mark.parametrize("passphrase", ["", "\ud800", "x" * 5000])
def test_unusable_passphrase_is_refused_before_anything_is_written(
    path: Path, passphrase: str
) -> None:
    with pytest.raises(VaultError, match="passphrase"):
        Vault.create(path, passphrase, profile=CHEAPEST)
    assert list(path.parent.iterdir()) == []


def test_passphrase_may_be_typed_in_either_normal_form(path: Path) -> None:
    Vault.create(path, "がぎ", profile=CHEAPEST)
    assert Vault.open(path, "か\u3099き\u3099").contents == {}


def test_each_changed_byte_is_noticed(path: Path) -> None:
    create(path, {"a": 1})
    sealed = path.read_bytes()
    for place in range(len(sealed)):
        # Where it stands for memory or passes, a change may also lie out of bounds.
        changed = bytearray(sealed)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises((WrongPassphraseError, VaultFormatError)):
            Vault.open(path, PASSPHRASE)
    path.write_bytes(sealed)
    assert Vault.open(path, PASSPHRASE).contents == {"a": 1}


@pytest.mark.parametrize(
    ("passes", "memory_kib"), [(0, 64), (17, 64), (3, 7), (3, 2**20 + 1), (255, 2**32 - 1)]
)
def test_parameters_out_of_bounds_are_refused_before_use(
    path: Path, passes: int, memory_kib: int
) -> None:
    create(path)
    sealed = bytearray(path.read_bytes())
    sealed[13:18] = struct.pack(">BI", passes, memory_kib)
    path.write_bytes(sealed)
    with pytest.raises(VaultFormatError, match="Argon2id takes"):
        Vault.open(path, PASSPHRASE)
    with pytest.raises(VaultFormatError):
        KdfProfile(passes=passes, memory_kib=memory_kib)


def test_profiles_cost_what_they_say() -> None:
    assert (INTERACTIVE.passes, INTERACTIVE.memory_kib) == (3, 64 * 1024)
    assert SENSITIVE.memory_kib > INTERACTIVE.memory_kib


def test_default_profile_is_the_interactive_one(path: Path) -> None:
    Vault.create(path, PASSPHRASE)
    assert struct.unpack(">BI", path.read_bytes()[13:18]) == (3, 64 * 1024)


@pytest.mark.parametrize(
    "data", [b"", b"tegata vault", b"tegata vault\x02" + bytes(100), b"PK\x03\x04" + bytes(100)]
)
def test_other_files_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(VaultFormatError):
        Vault.open(path, PASSPHRASE)


@given(data=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_raise_only_our_own_errors(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "wallet"
    path.write_bytes(b"tegata vault\x01\x01\x00\x00\x00\x08" + data)
    with pytest.raises(ClientError):
        Vault.open(path, PASSPHRASE)


def test_huge_file_is_refused(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_VAULT_BYTES + 1)
    with pytest.raises(VaultFormatError, match="larger"):
        Vault.open(path, PASSPHRASE)


def test_missing_file_and_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="cannot be read"):
        Vault.open(tmp_path / "none", PASSPHRASE)
    with pytest.raises(VaultError, match=r"not a file|cannot be read"):
        Vault.open(tmp_path, PASSPHRASE)
    with pytest.raises(VaultError, match="cannot be created"):
        create(tmp_path / "none" / "wallet")


def test_named_pipe_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(VaultFormatError):
        Vault.open(path, PASSPHRASE)


def test_existing_file_is_not_overwritten(path: Path) -> None:
    create(path, {"a": 1})
    with pytest.raises(VaultError, match="exists already"):
        create(path)
    assert Vault.open(path, PASSPHRASE).contents == {"a": 1}


@pytest.mark.parametrize("contents", [{"a": float("nan")}, {"a": {1, 2}}, {"a": "\ud800"}])
def test_contents_that_are_no_json_are_refused(path: Path, contents: dict[str, object]) -> None:
    vault = create(path, {"a": 1})
    with pytest.raises(VaultFormatError):
        vault.save(contents)
    assert Vault.open(path, PASSPHRASE).contents == {"a": 1}


def test_files_are_readable_by_their_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        vault = create(path)
        path.chmod(0o666)
        vault.save({})
    finally:
        os.umask(before)
    assert [mode_of(file) for file in path.parent.iterdir()] == [0o600, 0o600]


def test_nothing_repeats_between_saves(path: Path) -> None:
    vault = create(path)
    nonces = set()
    for _ in range(20):
        vault.save({})
        nonces.add(path.read_bytes()[HEADER_BYTES : HEADER_BYTES + 24])
    assert len(nonces) == 20


def test_new_passphrase_replaces_the_old_one(path: Path) -> None:
    vault = create(path, {"a": 1})
    salt = path.read_bytes()[18:34]
    vault.change_passphrase("battery staple", CHEAPEST)
    assert path.read_bytes()[18:34] != salt
    vault.save({"a": 2})
    assert Vault.open(path, "battery staple").contents == {"a": 2}
    with pytest.raises(WrongPassphraseError):
        Vault.open(path, PASSPHRASE)


def test_repr_and_errors_hold_no_secret(path: Path) -> None:
    vault = create(path, {"key": "s3cr3t"})
    assert "s3cr3t" not in repr(vault)
    assert PASSPHRASE not in repr(vault)
    with pytest.raises(WrongPassphraseError) as caught:
        Vault.open(path, "another phrase")
    assert "another phrase" not in str(caught.value)


def test_save_refuses_to_lose_what_another_saved(path: Path) -> None:
    create(path)
    first, second = Vault.open(path, PASSPHRASE), Vault.open(path, PASSPHRASE)
    first.save({"a": 1})
    with pytest.raises(VaultError, match="another process"):
        second.save({"b": 2})
    second.reload()
    second.save({**second.contents, "b": 2})
    assert Vault.open(path, PASSPHRASE).contents == {"a": 1, "b": 2}


def test_changed_passphrase_shuts_out_those_who_have_it_open(path: Path) -> None:
    create(path)
    first, second = Vault.open(path, PASSPHRASE), Vault.open(path, PASSPHRASE)
    first.change_passphrase("battery staple", CHEAPEST)
    with pytest.raises(WrongPassphraseError):
        second.update(lambda contents: contents)


def test_closed_vault_cannot_save(path: Path) -> None:
    vault = create(path, {"a": 1})
    vault.close()
    with pytest.raises(VaultError, match="closed"):
        vault.save({})
    assert Vault.open(path, PASSPHRASE).contents == {"a": 1}


def test_updates_of_many_are_all_kept(path: Path) -> None:
    create(path)

    def count(name: str) -> None:
        vault = Vault.open(path, PASSPHRASE)
        for number in range(10):
            vault.update(lambda old, key=f"{name}{number}": {**old, key: True})

    threads = [threading.Thread(target=count, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Vault.open(path, PASSPHRASE).contents) == 30


def test_failed_update_saves_nothing(path: Path) -> None:
    vault = create(path, {"a": 1})
    before = path.read_bytes()

    def fail(_contents: object) -> dict[str, object]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        vault.update(fail)
    assert path.read_bytes() == before
    vault.save({"a": 2})


KILLED_AT_A_STEP = """
import os, signal, sys
from pathlib import Path
from client_sdk.sealing.vault import Vault

step, path = sys.argv[1], Path(sys.argv[2])
vault = Vault.open(path, "correct horse")
calls = 0

def die_at(function, wanted):
    def run(*args, **kwargs):
        global calls
        calls += 1
        if calls == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return run

match step:
    case "before the file is on disk":
        os.fsync = die_at(os.fsync, 1)
    case "before the rename":
        Path.replace = die_at(Path.replace, 1)
    case "after the rename":
        os.fsync = die_at(os.fsync, 2)
vault.save({"state": "new", "filler": "x" * 100_000})
"""


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("before the file is on disk", "old"),
        ("before the rename", "old"),
        ("after the rename", "new"),
    ],
)
def test_killed_at_a_step_of_saving(path: Path, step: str, state: str) -> None:
    create(path, {"state": "old"})
    done = subprocess.run([sys.executable, "-c", KILLED_AT_A_STEP, step, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    vault = Vault.open(path, PASSPHRASE)
    assert vault.contents["state"] == state
    vault.save({"state": "next"})
    assert Vault.open(path, PASSPHRASE).contents == {"state": "next"}
    assert {file.name for file in path.parent.iterdir()} == {"wallet", ".wallet.lock"}


SAVES_FOR_EVER = """
import sys
from pathlib import Path
from client_sdk.sealing.vault import Vault

vault = Vault.open(Path(sys.argv[1]), "correct horse")
number = vault.contents["number"]
while True:
    number += 1
    vault.save({"number": number, "again": number, "filler": "x" * 50_000})
    print(number, flush=True)
"""


def test_killed_at_any_instant_nothing_saved_is_lost(path: Path) -> None:
    create(path, {"number": 0})
    for saves in (1, 7, 20):
        command = [sys.executable, "-c", SAVES_FOR_EVER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            acknowledged = [int(process.stdout.readline()) for _ in range(saves)][-1]
            process.kill()
        contents = Vault.open(path, PASSPHRASE).contents
        assert contents["number"] == contents["again"]
        assert contents["number"] >= acknowledged
