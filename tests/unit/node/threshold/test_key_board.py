"""A key made by operators over a shared folder, and what happens when somebody disturbs it."""

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from support.threshold import SHA2, deal, sign

from chaincode.encoding import encode_base64url
from client_sdk.errors import FrostFormatError, ParticipantFaultError
from client_sdk.frost.host_key import HostKey
from client_sdk.frost.keys import KeyShare
from node.errors import ConfigError, KeygenError
from node.threshold.ceremony_files import GROUP_FILE, SHARE_FILE
from node.threshold.key_board import KeyBoard, KeygenStatus, reshare_board
from node.threshold.key_contacts import CONTACT_TYP, KeyPlan
from node.threshold.share_file import load_group, load_share, save_share

PLAN = KeyPlan(purpose="issuer", algorithm=SHA2, threshold=2, parties=3)
NAMES = ("aoba", "izumi", "taihaku")


class Operators:
    """Three operators and the board between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.board = folder / "board"
        self.fingerprint: str | None = None

    def run(self, name: str, plan: KeyPlan = PLAN) -> KeygenStatus:
        """Do what one run of the command does; each time anew, as from a shell."""
        keys = KeyBoard(self.folder / name, self.board, plan)
        return keys.advance(name=name, confirmed_fingerprint=self.fingerprint)

    def exchange_contacts(self) -> None:
        for name in NAMES:
            self.run(name)
        self.fingerprint = self.run("aoba").fingerprint

    @property
    def own_files(self) -> Path:
        """Where aoba keeps the ceremony."""
        return self.folder / "aoba" / "ceremony-board"

    def finish(self) -> dict[str, KeygenStatus]:
        self.exchange_contacts()
        for _ in range(3):
            for name in NAMES:
                self.run(name)
        return {name: self.run(name) for name in NAMES}

    def messages(self) -> list[Path]:
        return sorted(self.board.glob("message-*.jwt"))


@pytest.fixture
def operators(tmp_path: Path) -> Operators:
    return Operators(tmp_path)


def test_three_operators_make_a_key(operators: Operators) -> None:
    status = operators.finish()
    keys = {each.group.ledger_key for each in status.values() if each.group}
    assert len(keys) == 1
    assert {*status["aoba"].parties} == {*NAMES}
    shares = [load_share(operators.folder / name / SHARE_FILE) for name in NAMES]
    assert sorted(share.identifier for share in shares) == [1, 2, 3]
    assert sign(shares[:2], b"payload")
    assert sign(shares[1:], b"payload")
    for name in NAMES:
        own = operators.folder / name
        assert load_group(own / GROUP_FILE) == shares[0].group
        for secret in (own / SHARE_FILE, own / "ceremony-board" / "host.key"):
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert not [*own.rglob("seed")]


def test_nothing_secret_is_on_the_board(operators: Operators) -> None:
    operators.finish()
    public = "".join(path.read_text() for path in operators.board.iterdir())
    for name in NAMES:
        share = json.loads((operators.folder / name / SHARE_FILE).read_text())
        assert share["secret"] not in public
        assert (
            operators.folder / name / "ceremony-board" / "host.key"
        ).read_text().strip() not in public


def test_what_is_to_be_done_next(operators: Operators) -> None:
    assert operators.run("aoba") == KeygenStatus(parties=("aoba",))
    operators.run("izumi")
    assert operators.run("taihaku").fingerprint is not None
    status = operators.run("aoba")
    assert status.fingerprint is not None
    assert (status.waiting_for, status.group) == ((), None)
    operators.fingerprint = status.fingerprint.replace(" ", "").upper()
    assert {*operators.run("aoba").waiting_for} == {"izumi", "taihaku"}


def test_the_same_key_after_it_was_made(operators: Operators) -> None:
    assert operators.finish() == {name: operators.run(name) for name in NAMES}


def test_a_fingerprint_that_differs_stops_it(operators: Operators) -> None:
    operators.exchange_contacts()
    operators.fingerprint = "0000 " * 8
    with pytest.raises(KeygenError, match="another than the one that was confirmed"):
        operators.run("aoba")
    assert operators.messages() == []


def test_a_contact_that_was_swapped_changes_the_fingerprint(operators: Operators) -> None:
    operators.exchange_contacts()
    swapped = next((operators.folder / "izumi" / "ceremony-board").glob("contact-*.jwt"))
    (operators.board / swapped.name).unlink()
    shutil.rmtree(operators.folder / "izumi")
    KeyBoard(operators.folder / "izumi", operators.board, PLAN).advance(
        name="izumi", confirmed_fingerprint=None
    )
    with pytest.raises(KeygenError, match="begin on a new one"):
        operators.run("aoba")


def test_one_party_too_many(operators: Operators) -> None:
    for name in NAMES:
        operators.run(name)
    with pytest.raises(KeygenError, match="4 contacts, where 3"):
        operators.run("intruder")


@pytest.mark.parametrize(
    "plan",
    [
        KeyPlan(purpose="escrow", algorithm=SHA2, threshold=2, parties=3),
        KeyPlan(purpose="issuer", algorithm=SHA2, threshold=3, parties=3),
    ],
)
def test_parties_that_intend_different_keys(operators: Operators, plan: KeyPlan) -> None:
    operators.run("aoba")
    with pytest.raises(KeygenError, match="aoba intends another key"):
        operators.run("izumi", plan)


@pytest.mark.parametrize(("threshold", "parties"), [(1, 2), (3, 2), (2, 256)])
def test_a_plan_that_cannot_be(threshold: int, parties: int) -> None:
    with pytest.raises(FrostFormatError):
        KeyPlan(purpose="issuer", algorithm=SHA2, threshold=threshold, parties=parties)


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        HostKey.generate().sign({"name": "x"}, CONTACT_TYP),
        HostKey.generate().sign(
            {"plan": PLAN.to_fields(), "name": "x", "nonce": "", "host_key": "AA"}, CONTACT_TYP
        ),
        "x" * (1 << 19),
        "手形",
    ],
    ids=["garbage", "fields", "key", "long", "no_ascii"],
)
def test_a_file_that_is_no_contact_is_named(operators: Operators, text: str) -> None:
    operators.run("aoba")
    (operators.board / "contact-x.jwt").write_text(text)
    with pytest.raises(KeygenError, match=r"contact-x\.jwt"):
        operators.run("aoba")


def test_a_name_that_is_none(operators: Operators) -> None:
    with pytest.raises(KeygenError, match="name is not acceptable"):
        KeyBoard(operators.folder / "x", operators.board, PLAN).advance(
            name="\x1b[1m", confirmed_fingerprint=None
        )


def test_a_file_that_is_no_message_is_named(operators: Operators) -> None:
    operators.exchange_contacts()
    (operators.board / "message-x.jwt").write_text("garbage")
    with pytest.raises(KeygenError, match=r"message-x\.jwt.*Remove the file"):
        operators.run("aoba")


def test_a_lost_message_is_only_waited_for(operators: Operators) -> None:
    operators.exchange_contacts()
    for name in NAMES:
        operators.run(name)
    for path in operators.messages():
        path.unlink()
    # What was seen once is kept: only what nobody else has yet is missing.
    assert operators.run("aoba").waiting_for


def test_a_party_that_says_two_things_is_named(operators: Operators) -> None:
    operators.exchange_contacts()
    operators.run("aoba")
    operators.run("izumi")
    (messages,) = operators.own_files.rglob("messages")
    shutil.rmtree(messages)
    (messages.parent / "seed").write_text("00" * 32)
    kept = {path.name: path.read_text() for path in operators.messages()}
    for path in operators.messages():
        path.unlink()
    operators.run("aoba")
    for name, text in kept.items():
        (operators.board / name).write_text(text)
    with pytest.raises(ParticipantFaultError, match="two different messages") as refusal:
        operators.run("izumi")
    assert refusal.value.is_proof


def test_a_crash_at_the_end_is_made_good(operators: Operators) -> None:
    operators.exchange_contacts()
    operators.run("aoba")
    (seed_file,) = operators.own_files.rglob("seed")
    seed = seed_file.read_text()
    group = operators.finish()["aoba"].group
    own = operators.folder / "aoba"
    share = (own / SHARE_FILE).read_text()
    # As if it had died before anything was put in its place, and before the key was noted.
    (own / SHARE_FILE).replace(seed_file.with_name(SHARE_FILE))
    (own / GROUP_FILE).unlink()
    seed_file.with_name(GROUP_FILE).unlink()
    seed_file.write_text(seed)
    assert operators.run("aoba").group == group
    assert (own / SHARE_FILE).read_text() == share
    assert not seed_file.exists()


def test_a_failed_ceremony_is_begun_again_on_another_board(operators: Operators) -> None:
    operators.exchange_contacts()
    operators.run("aoba")
    operators.board = operators.folder / "second board"
    operators.fingerprint = None
    operators.finish()
    assert len({load_share(operators.folder / n / SHARE_FILE).identifier for n in NAMES}) == 3


class TestResharing:
    """The key stays; shares change, parties come and go, and a lost share is made good."""

    @pytest.fixture
    def operators(self, operators: Operators) -> Operators:
        operators.finish()
        operators.board = operators.folder / "second"
        operators.fingerprint = None
        return operators

    def share(self, operators: Operators, name: str) -> KeyShare:
        return load_share(operators.folder / name / SHARE_FILE)

    def reshare(self, operators: Operators, **parts: dict[str, Any]) -> dict[str, KeygenStatus]:
        """Let each party of the ceremony run the command until all have the key."""
        terms = {"purpose": "issuer", "threshold": 2, "parties": len(parts)}
        for _ in range(6):
            told = {
                name: reshare_board(
                    operators.folder / name, operators.board, **{**terms, **part}
                ).advance(name=name, confirmed_fingerprint=operators.fingerprint)
                for name, part in parts.items()
            }
            operators.fingerprint = next(reversed(told.values())).fingerprint
        assert all(status.group is not None for status in told.values())
        return told

    def test_a_refresh(self, operators: Operators) -> None:
        before = {name: self.share(operators, name) for name in NAMES}
        self.reshare(operators, aoba={}, izumi={}, taihaku={})
        after = {name: self.share(operators, name) for name in NAMES}
        for name in NAMES:
            assert after[name].identifier == before[name].identifier
            assert after[name].group.public_key == before[name].group.public_key
            assert after[name].secret.reveal() != before[name].secret.reveal()
            assert load_group(operators.folder / name / GROUP_FILE) == after[name].group
        assert sign([after["aoba"], after["taihaku"]], b"payload")
        with pytest.raises(ParticipantFaultError):
            sign([before["aoba"], after["taihaku"]], b"payload")

    def test_a_share_that_was_lost(self, operators: Operators) -> None:
        lost = self.share(operators, "izumi")
        shutil.rmtree(operators.folder / "izumi")
        newcomer = (lost.identifier, operators.folder / "aoba" / GROUP_FILE)
        self.reshare(operators, aoba={}, izumi={"newcomer": newcomer}, taihaku={})
        made = self.share(operators, "izumi")
        assert made.identifier == lost.identifier
        assert sign([made, self.share(operators, "aoba")], b"payload")

    def test_one_comes_and_one_goes(self, operators: Operators) -> None:
        newcomer = (7, operators.folder / "aoba" / GROUP_FILE)
        public_key = self.share(operators, "aoba").group.public_key
        told = self.reshare(
            operators, aoba={}, izumi={"leaves": True}, miyagino={"newcomer": newcomer}
        )
        assert {*told["aoba"].parties} == {"aoba", "izumi", "miyagino"}
        assert not (operators.folder / "izumi" / SHARE_FILE).exists()
        shares = [self.share(operators, "aoba"), self.share(operators, "miyagino")]
        assert shares[1].identifier == 7
        assert shares[0].group.public_key == public_key
        assert sign(sorted(shares, key=lambda share: share.identifier), b"payload")

    def test_two_who_go_by_one_identifier(self, operators: Operators) -> None:
        taken = (self.share(operators, "izumi").identifier, operators.folder / "aoba" / GROUP_FILE)
        with pytest.raises(KeygenError, match="go by one identifier"):
            self.reshare(operators, aoba={}, izumi={}, miyagino={"newcomer": taken})

    def test_too_few_who_deal(self, operators: Operators) -> None:
        group_file = operators.folder / "aoba" / GROUP_FILE
        with pytest.raises(KeygenError, match="deal it anew"):
            self.reshare(
                operators,
                aoba={},
                nagamachi={"newcomer": (8, group_file)},
                miyagino={"newcomer": (7, group_file)},
            )

    def test_a_file_that_was_damaged(self, operators: Operators) -> None:
        own = operators.folder / "aoba"

        def begin() -> KeyBoard:
            return reshare_board(own, operators.board, purpose="issuer", threshold=2, parties=2)

        begin()
        for text in ("", "{}", '{"part": {}, "previous": {}}', '{"part": null, "previous": {}}'):
            (own / "ceremony-second" / "resharing.json").write_text(text)
            with pytest.raises(ConfigError, match="begin on a new board"):
                begin()

    def test_a_part_that_is_none(self, operators: Operators) -> None:
        keys = reshare_board(
            operators.folder / "aoba", operators.board, purpose="issuer", threshold=2, parties=2
        )
        keys.advance(name="aoba", confirmed_fingerprint=None)
        plan = KeyPlan(
            purpose="issuer",
            algorithm=SHA2,
            threshold=2,
            parties=2,
            previous=self.share(operators, "aoba").group,
        )
        host_key = HostKey.generate()
        part = {"identifier": 0, "deals": True, "receives": True}
        fields: dict[str, Any] = {
            "plan": plan.to_fields(),
            "part": part,
            "name": "x",
            "host_key": encode_base64url(host_key.public),
            "nonce": "",
        }
        (operators.board / "contact-x.jwt").write_text(host_key.sign(fields, CONTACT_TYP))
        with pytest.raises(KeygenError, match="the part in the ceremony"):
            keys.advance(name="aoba", confirmed_fingerprint=None)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        KeyBoard(tmp_path / "file", tmp_path / "board", PLAN)


class TestShareFile:
    def test_it_comes_back_and_is_private(self, tmp_path: Path) -> None:
        share = deal(2, 3)[2]
        save_share(share, tmp_path / "share.json")
        assert stat.S_IMODE((tmp_path / "share.json").stat().st_mode) == 0o600
        loaded = load_share(tmp_path / "share.json")
        assert (loaded.identifier, loaded.group) == (2, share.group)
        assert loaded.secret.reveal() == share.secret.reveal()
        with pytest.raises(ConfigError, match="cannot be created"):
            save_share(share, tmp_path / "share.json")

    @pytest.mark.parametrize("change", [{"identifier": 1}, {"identifier": "2"}, {"group": []}])
    def test_a_damaged_file_is_told(self, tmp_path: Path, change: dict) -> None:
        path = tmp_path / "share.json"
        save_share(deal(2, 3)[2], path)
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(ConfigError, match=r"share\.json: not a share"):
            load_share(path)

    def test_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("no JSON")
        (tmp_path / "empty").write_text("{}")
        for load in (load_share, load_group):
            for name in ("absent", "text", "empty"):
                with pytest.raises(ConfigError, match=name):
                    load(tmp_path / name)
