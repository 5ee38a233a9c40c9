"""Pairing: a code serves once and not for long, and no token is kept."""

import stat
from pathlib import Path

import pytest

from node.errors import StorageError
from node.wallet.devices import CODE_S, Devices


class Clock:
    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "wallet.devices"


def test_a_code_pairs_one_browser(file: Path) -> None:
    devices = Devices(file)
    code = devices.new_code()
    token = devices.pair(code, "Firefox Linux")
    assert token is not None
    assert devices.pair(code, "Somebody else") is None
    found = devices.find(token)
    assert found is not None
    assert (found.name, devices.all) == ("Firefox Linux", (found,))


def test_a_code_is_good_for_five_minutes(file: Path) -> None:
    clock = Clock()
    devices = Devices(file, now_ms=clock)
    code = devices.new_code()
    clock.now_ms += CODE_S * 1000
    assert devices.pair(code, "Late") is None


@pytest.mark.parametrize("token", ["", "x", "\udc80"])
def test_nobody_elses_token_is_known(file: Path, token: str) -> None:
    devices = Devices(file)
    devices.pair(devices.new_code(), "One")
    assert devices.find(token) is None
    assert devices.pair(token, "Two") is None


def test_paired_browsers_outlive_the_process_and_removed_ones_do_not_come_back(file: Path) -> None:
    first = Devices(file)
    kept, removed = (first.pair(first.new_code(), name) for name in ("Kept", "Removed"))
    assert kept is not None
    assert removed is not None
    gone = first.find(removed)
    assert gone is not None
    first.remove(gone.device_id)
    again = Devices(file)
    assert (again.host, again.session_key) == (first.host, first.session_key)
    assert again.find(kept) is not None
    assert again.find(removed) is None


def test_the_file_is_its_owners_and_holds_no_token(file: Path) -> None:
    devices = Devices(file)
    token = devices.pair(devices.new_code(), "One")
    assert token is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in file.read_text()


def test_every_wallet_has_a_host_name_of_its_own(tmp_path: Path) -> None:
    hosts = {Devices(tmp_path / name).host for name in ("a", "b")}
    assert len(hosts) == 2
    assert all(host.endswith(".localhost") for host in hosts)


@pytest.mark.parametrize("text", ["", "[]", '{"host": "x"}', '{"host": 1, "session_key": "zz"}'])
def test_a_damaged_file_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(StorageError, match="pair your browsers again"):
        Devices(file)
