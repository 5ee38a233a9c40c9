"""Everyone's commands against running services: the whole path, and each exit code."""

import json
import os
import re
import shutil
import stat
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.command_line import run, run_inside, run_json
from support.verifier_stand import VerifierStand

from chaincode.checkpoints import Checkpoint, sign_checkpoint
from chaincode.encoding import JsonObject
from client_sdk.checks import CHECKS
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.errors import (
    CredentialFormatError,
    KeyFormatError,
    LedgerForkError,
    NotRegisteredError,
    OfferError,
    RequestError,
    ServiceRefusedError,
    TransactionFailedError,
    UnknownGrantError,
    VaultError,
)
from client_sdk.http.client import HttpClient
from client_sdk.issuer.client import IssuerClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet import Wallet
from client_sdk.wallet.contents import WalletContents
from node.cli.demo.thief import TappedLine, steal_answer
from node.cli.demo.town import Town
from node.errors import ConfigError

pytestmark = pytest.mark.xdist_group("town")

PASSPHRASE = {"TEGATA_PASSPHRASE": "a passphrase for this test"}
CARD = {
    "--name": "手形 [花子]",
    "--address": "青葉市緑町 [/] 1-2-3",
    "--municipality": "青葉市",
    "--birth-date": "1990-04-01",
    "--sex": "2",
}
CARD_OPTIONS = [part for option in CARD.items() for part in option]
NOWHERE = "http://127.0.0.1:1"
WHEN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")


class Desk:
    """The commands of the people of a town, with their addresses and secrets filled in."""

    def __init__(self, town: Town, wallet: Path) -> None:
        self.town = town
        self.wallet = wallet
        self.operator = {"TEGATA_OPERATOR_TOKEN": town.operator_token}
        self.verifier = {"TEGATA_API_KEY": town.api_key}

    def issuer(self, *words: str, installed: bool = False) -> Any:
        command = ("issuer", *words, "--issuer", self.town.issuer_url)
        if installed:
            return run_json(*command, env=self.operator)
        return self._inside(command, self.operator)

    def holder(self, verb: str, *words: str, installed: bool = False) -> Any:
        command = ("wallet", verb, str(self.wallet), *words)
        if installed:
            return run_json(*command, env=PASSPHRASE)
        return self._inside(command, PASSPHRASE)

    def office(self, *words: str, installed: bool = False) -> Any:
        command = ("verify", *words, "--gateway", self.town.gateway_url)
        if installed:
            return run_json(*command, env=self.verifier)
        return self._inside(command, self.verifier)

    def ask(self, *attributes: str, purpose: str = "A library card") -> tuple[str, str]:
        asked = self.office("ask", *attributes, "--purpose", purpose)
        return asked["request"], asked["link"]

    def _inside(self, command: tuple[str, ...], env: dict[str, str]) -> Any:
        result = run_inside(*command, "--json", env=env)
        assert result.exit_code == 0, (result.exception, result.output)
        return json.loads(result.stdout)


def forged_checkpoint(town: Town, note: str) -> bytes:
    """Return a checkpoint of the same size, signed by the node's key, with another root."""
    origin, size, *_ = note.split("\n")
    key = AccountKey.load(town.folder / "ledger" / "keys" / "node.priv")
    forged = Checkpoint(origin=origin, size=int(size), root=bytes(32), time_s=1)
    return sign_checkpoint(forged, key)


@pytest.fixture(scope="module")
def desk(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A town, and a registered wallet with one credential, all by commands."""
    wallet = tmp_path_factory.mktemp("wallets") / "hanako"
    desk = Desk(town, wallet)
    anchors = town.folder / "gateway" / "access_authority.crt"
    made = desk.holder("create", "--trust", str(anchors), installed=True)
    assert made.keys() == {"wallet", "public_key"}
    code = desk.issuer("enrol", installed=True)
    assert code.keys() == {"enrolment_code"}
    registered = desk.holder(
        *("register", "--issuer", town.issuer_url, "--code", code["enrolment_code"]),
        *("--torii", town.torii),
        installed=True,
    )
    assert registered.keys() == {"account", "ledger"}
    offer = desk.issuer("offer", *CARD_OPTIONS, installed=True)
    assert offer.keys() == {"offer", "tx_code", "expires_at"}
    received = desk.holder("receive", offer["offer"], "--tx-code", offer["tx_code"], installed=True)
    assert received.keys() == {"credential", "type", "format", "issuer", "expires"}
    assert WHEN.fullmatch(received["expires"])
    return desk


def test_a_wallet_is_private(desk: Desk) -> None:
    assert stat.S_IMODE(os.stat(desk.wallet).st_mode) == 0o600  # noqa: PTH116


class TestTheNode:
    def test_status(self, desk: Desk) -> None:
        found = run_json("node", "status", desk.town.ledger_folder)
        assert found.keys() == {
            "torii",
            "ledger",
            "healthy",
            "height",
            "memory_bytes",
        }
        assert found["healthy"] is True
        assert found["torii"] == desk.town.torii
        shown = run_inside(
            "node", "status", desk.town.ledger_folder, "--torii", desk.town.torii
        ).output
        assert found["ledger"] in shown


class TestTheHolder:
    def test_credentials(self, desk: Desk) -> None:
        (row,) = desk.holder("credentials", installed=True)
        assert row.keys() == {
            *("credential", "format", "one_time", "issuer", "expires", "attributes")
        }
        assert row["attributes"]["address"] == CARD["--address"]
        shown = run_inside("wallet", "credentials", desk.wallet, env=PASSPHRASE).output
        assert f"address: {CARD['--address']}" in shown
        assert f"name: {CARD['--name']}" in shown

    def test_check_ledger(self, desk: Desk) -> None:
        first = desk.holder("check-ledger")
        assert first.keys() == {"account", "ledger", "height", "time", "key", "root"}
        assert (first["key"], len(first["root"])) == ("in force", 64)
        assert desk.holder("check-ledger")["height"] >= first["height"]

    def test_a_changed_history_is_kept_as_evidence(self, desk: Desk, tmp_path: Path) -> None:
        desk.holder("check-ledger")
        wallet = tmp_path / "hanako"
        wallet.write_bytes(desk.wallet.read_bytes())
        with closing(Vault.open(wallet, *PASSPHRASE.values())) as vault:
            known = str(vault.contents["checkpoint"])
            # What another history of the same height would have been signed as.
            other = forged_checkpoint(desk.town, known)
            vault.update(lambda contents: {**contents, "checkpoint": other.decode()})
        result = run_inside("wallet", "check-ledger", wallet, env=PASSPHRASE)
        assert isinstance(result.exception, LedgerForkError)
        evidence = (tmp_path / "hanako.fork").read_bytes()
        assert evidence.startswith(other)

    def test_present_and_revoke(self, desk: Desk) -> None:
        asked = desk.office("ask", "address", "age_over_18", "--purpose", "why", installed=True)
        assert asked.keys() == {"request", "link", "expires_at", "next"}
        shared = desk.holder("present", asked["link"], "--yes", installed=True)
        assert shared.keys() == {"shared", "grant"}
        result = desk.office("result", asked["request"], "--wait", installed=True)
        assert result.keys() == {"status", "checks", "attributes"}
        assert result["status"] == "accepted"
        # JSON keeps each value's kind.
        assert result["attributes"] == {"address": CARD["--address"], "age_over_18": True}
        assert {check["passed"] for check in result["checks"]} == {True}
        rows = desk.holder("grants", installed=True)
        (row,) = [row for row in rows if row["grant"] == shared["grant"]]
        assert row.keys() == {"grant", "verifier", "attributes", "purpose", "until", "state"}
        assert (row["state"], row["attributes"]) == ("live", "address, age_over_18")
        (seen,) = [e for e in desk.holder("history") if e["grant"] == shared["grant"]]
        assert (seen["verifier_name"], seen["use"]) == ("Aoba Ward Office", 1)
        assert seen["attributes"] == ["address", "age_over_18"]
        assert (seen["purpose"], seen["finding"]) == ("why", None)
        told = run_inside("wallet", "history", desk.wallet, env=PASSPHRASE).output
        assert "Aoba Ward Office" in told
        printed = run_inside("wallet", "consent-record", desk.wallet, seen["grant"], env=PASSPHRASE)
        assert json.loads(printed.output)["record"]["record_id"] == seen["grant"]
        revoked = desk.holder("revoke", shared["grant"], installed=True)
        assert revoked == {"grant": shared["grant"], "state": "revoked"}
        shown = run_inside("wallet", "grants", desk.wallet, env=PASSPHRASE).output
        assert "Aoba Ward Office" in shown
        assert "revoked" in shown
        again = run_inside("wallet", "revoke", desk.wallet, shared["grant"], env=PASSPHRASE)
        assert isinstance(again.exception, TransactionFailedError)

    @pytest.mark.parametrize(("typed", "shared"), [("y\n", True), ("n\n", False), ("\n", False)])
    def test_the_holder_is_asked(self, desk: Desk, typed: str, shared: bool) -> None:
        request, link = desk.ask("address")
        result = run_inside("wallet", "present", desk.wallet, link, env=PASSPHRASE, typed=typed)
        assert result.exit_code == 0
        assert "Certified:" in result.stdout
        assert "Aoba Ward Office asks" in result.stdout
        assert "Purpose: A library card" in result.stdout
        assert CARD["--address"] in result.stdout
        assert "Share this?" in result.stdout
        found = desk.office("result", request, "--wait")
        assert found["status"] == ("accepted" if shared else "declined")

    def test_who_is_asked_by_json_reads_the_same(self, desk: Desk) -> None:
        _, link = desk.ask("address")
        command = ("wallet", "present", str(desk.wallet), link, "--json")
        done = run(*command, env=PASSPHRASE, typed="n\n")
        assert done.returncode == 0
        assert json.loads(done.stdout) == {"shared": False}
        assert "Certified:" in done.stderr
        assert "Aoba Ward Office asks" in done.stderr
        assert "Share this?" in done.stderr

    def test_no_answer_is_no_consent(self, desk: Desk) -> None:
        request, link = desk.ask("address")
        result = run_inside("wallet", "present", desk.wallet, link, env=PASSPHRASE, typed="")
        assert result.exit_code == 1
        assert desk.office("result", request)["status"] == "fetched"

    def test_decline(self, desk: Desk) -> None:
        request, link = desk.ask("address")
        # Whoever says both has not said yes.
        assert desk.holder("present", link, "--decline", "--yes") == {"shared": False}
        assert desk.office("result", request, "--wait")["status"] == "declined"

    def test_a_verifier_that_nobody_certified(self, desk: Desk) -> None:
        ledger = run_json("node", "status", desk.town.ledger_folder)["ledger"]
        with VerifierStand(ledger=ledger) as stand:
            link = stand.ask("address")
            result = run_inside("wallet", "present", desk.wallet, link, "--yes", env=PASSPHRASE)
        assert "NOT VERIFIED, the name is its own claim" in result.stdout

    def test_a_grant_that_it_never_made(self, desk: Desk) -> None:
        result = run_inside("wallet", "revoke", desk.wallet, "ab" * 16, env=PASSPHRASE)
        assert isinstance(result.exception, UnknownGrantError)

    def test_a_grant_that_never_reached_the_ledger(self, desk: Desk, tmp_path: Path) -> None:
        file = tmp_path / "copy"
        file.write_bytes(desk.wallet.read_bytes())
        vault = Vault.open(file, PASSPHRASE["TEGATA_PASSPHRASE"])
        (made, *_) = WalletContents.from_fields(vault.contents).grants.values()
        lost = replace(made, grant_id="cd" * 16)
        vault.update(lambda fields: WalletContents.from_fields(fields).with_grant(lost).to_fields())
        rows = json.loads(run_inside("wallet", "grants", file, "--json", env=PASSPHRASE).output)
        assert {row["grant"]: row["state"] for row in rows}["cd" * 16] == "not on the ledger"

    def test_an_empty_wallet(self, desk: Desk, tmp_path: Path) -> None:
        file = tmp_path / "empty"
        Wallet.create(file, PASSPHRASE["TEGATA_PASSPHRASE"], profile=CHEAPEST).close()
        for command, text in (("credentials", "no credential yet"), ("grants", "no grant yet")):
            shown = run_inside("wallet", command, file, env=PASSPHRASE)
            assert text in shown.output
            assert run_inside("wallet", command, file, "--json", env=PASSPHRASE).output == "[]\n"
        _, link = desk.ask("address")
        result = run_inside("wallet", "present", file, link, "--yes", env=PASSPHRASE)
        assert isinstance(result.exception, NotRegisteredError)

    def test_the_passphrase_is_asked_for(self, tmp_path: Path) -> None:
        file = tmp_path / "wallet"
        made = run_inside("wallet", "create", file, typed="open sesame\nopen sesame\n")
        assert made.exit_code == 0
        assert "open sesame" not in made.output
        assert run_inside("wallet", "grants", file, typed="open sesame\n").exit_code == 0
        wrong = run_inside("wallet", "create", tmp_path / "b", typed="one\ntwo\n")
        assert wrong.exit_code == 1
        assert not (tmp_path / "b").exists()

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe", "手形".encode(), b"-----BEGIN"])
    def test_what_is_no_certificate(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "trust").write_bytes(content)
        result = run_inside(
            *("wallet", "create", tmp_path / "w", "--trust", tmp_path / "trust"), env=PASSPHRASE
        )
        if content:
            assert isinstance(result.exception, KeyFormatError)
            assert not (tmp_path / "w").exists()
        else:
            assert result.exit_code == 0


class TestTheCity:
    def test_an_offer_for_people(self, desk: Desk) -> None:
        command = ("issuer", "offer", *CARD_OPTIONS, "--issuer", desk.town.issuer_url)
        shown = run_inside(*command, env=desk.operator)
        assert "openid-credential-offer://" in shown.output
        assert "█" in shown.output or "▄" in shown.output
        plain = run_inside(*command, "--no-qr", env=desk.operator)
        assert "▄" not in plain.output
        assert re.search(r"tx code +\d{6}", plain.output)

    def test_a_portrait(self, desk: Desk, tmp_path: Path) -> None:
        portrait = tmp_path / "portrait.jpg"
        portrait.write_bytes(b"\xff\xd8\xff\xe0portrait\xff\xd9")
        assert desk.issuer("offer", *CARD_OPTIONS, "--portrait", str(portrait))["tx_code"]

    @pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
    def test_a_code_for_a_screen(
        self, desk: Desk, tmp_path: Path, suffix: str, begins: bytes
    ) -> None:
        file = tmp_path / f"offer{suffix}"
        desk.issuer("offer", *CARD_OPTIONS, "--qr-file", str(file))
        assert file.read_bytes().startswith(begins)
        command = ("issuer", "offer", *CARD_OPTIONS, "--issuer", desk.town.issuer_url)
        refused = run_inside(*command, "--qr-file", str(tmp_path / "x.gif"), env=desk.operator)
        assert refused.exit_code == 2

    def test_changes_of_state(self, desk: Desk) -> None:
        file = desk.wallet.with_name("changing")
        with (
            Wallet.create(file, "x", profile=CHEAPEST) as wallet,
            IssuerClient(desk.town.issuer_url, desk.town.operator_token) as city,
        ):
            wallet.register(desk.town.issuer_url, city.enrol(), torii=desk.town.torii)
            offer = desk.issuer("offer", *CARD_OPTIONS)
            record = wallet.issuance.receive(offer["offer"], tx_code=offer["tx_code"]).record_id
            offer = desk.issuer("offer", *CARD_OPTIONS, "--reference", "case-17")
            made = wallet.issuance.receive_one_time(
                offer["offer"], tx_code=offer["tx_code"], count=2
            )
            one_time = [one.record_id for one in made]
        for change, state in (
            ("suspend", "suspended"),
            ("reinstate", "active"),
            ("revoke", "revoked"),
        ):
            assert desk.issuer(change, record) == {"credential": record, "state": state}
            changed = desk.issuer(change, "--reference", "case-17")
            assert {row["credential"]: row["state"] for row in changed} == dict.fromkeys(
                one_time, state
            )
        rows = desk.issuer("credentials", installed=True)
        assert all(row.keys() == {"credential", "state", "expires_at"} for row in rows)
        assert {row["credential"]: row["state"] for row in rows}[record] == "revoked"
        shown = run_inside(
            "issuer", "credentials", "--issuer", desk.town.issuer_url, env=desk.operator
        ).output
        assert record in shown
        again = run_inside(
            "issuer", "reinstate", record, "--issuer", desk.town.issuer_url, env=desk.operator
        )
        assert isinstance(again.exception, ServiceRefusedError)

    def test_an_issuer_account_that_offers_nothing(self, desk: Desk) -> None:
        offer = desk.issuer("offer", *CARD_OPTIONS)
        before = desk.holder("credentials")
        result = run_inside(
            *("wallet", "receive", desk.wallet, offer["offer"], "--tx-code", offer["tx_code"]),
            *("--issuer-account", "library@issuer"),
            env=PASSPHRASE,
        )
        assert isinstance(result.exception, OfferError)
        assert "aoba_city@issuer" in str(result.exception)
        assert desk.holder("credentials") == before


class TestTheWardOffice:
    def test_a_request_for_people(self, desk: Desk) -> None:
        command = ("verify", "ask", "address", "--purpose", "why", "--gateway")
        shown = run_inside(*command, desk.town.gateway_url, env=desk.verifier).output
        assert "openid4vp://" in shown
        assert "█" in shown or "▄" in shown
        assert (
            "▄"
            not in run_inside(*command, desk.town.gateway_url, "--no-qr", env=desk.verifier).output
        )

    def test_a_result_for_people(self, desk: Desk) -> None:
        request, link = desk.ask("address", "name")
        desk.holder("present", link, "--yes")
        shown = run_inside(
            *("verify", "result", request, "--wait", "--gateway", desk.town.gateway_url),
            env=desk.verifier,
        ).output
        assert "Status: accepted" in shown
        assert CARD["--address"] in shown
        assert CARD["--name"] in shown
        assert shown.count("✓") == len(CHECKS) + 1  # and the receipt


class TestParts:
    def test_a_verifier_meets_an_account_of_its_own(self, desk: Desk, tmp_path: Path) -> None:
        town, copy = desk.town, tmp_path / "copy"
        copy.write_bytes(desk.wallet.read_bytes())
        holder = Desk(town, copy)
        offer = desk.issuer("offer", *CARD_OPTIONS)
        request, link = desk.ask("address")
        made = holder.holder(
            *("part", link, "--issuer", town.issuer_url, "--torii", town.torii),
            *("--code", desk.issuer("enrol")["enrolment_code"]),
            *("--offer", offer["offer"], "--tx-code", offer["tx_code"]),
        )
        shared = holder.holder("present", link, "--yes")
        assert desk.office("result", request, "--wait")["status"] == "accepted"
        with Wallet.open(copy, PASSPHRASE["TEGATA_PASSPHRASE"]) as wallet:
            assert wallet.grants.consent_record(shared["grant"]).account == made["account"]
            assert made["account"] != wallet.account.account_id
        assert holder.holder("history")[-1]["grant"] == shared["grant"]
        assert holder.holder("revoke", shared["grant"])["state"] == "revoked"


class TestFormats:
    def query(self, name: str) -> JsonObject:
        return {
            "credentials": [
                {
                    "id": "resident",
                    "format": name,
                    "meta": {"type_values": [[RESIDENT_CREDENTIAL_TYPE]]},
                    "claims": [{"path": ["credentialSubject", "address"]}],
                }
            ]
        }

    def test_a_resident_has_and_shows_a_credential_of_each_format(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        shutil.copy(desk.wallet, tmp_path / "wallet")
        own = Desk(desk.town, tmp_path / "wallet")
        for name in ("vc+sd-jwt", "jwt_vc_json", "ldp_vc"):
            offer = own.issuer("offer", *CARD_OPTIONS)
            received = own.holder(
                *("receive", offer["offer"], "--tx-code", offer["tx_code"], "--format", name)
            )
            assert received["format"] == name
            file = tmp_path / "query.json"
            file.write_text(json.dumps(self.query(name)), encoding="utf-8")
            asked = own.office("ask", "--query", str(file), "--purpose", "A library card")
            assert own.holder("present", asked["link"], "--yes")["shared"] is True
            found = own.office("result", asked["request"])
            assert found["status"] == "accepted"
            assert found["attributes"] == {"credentialSubject": {"address": CARD["--address"]}}
        assert [row["format"] for row in own.holder("credentials")] == [
            *("dc+sd-jwt", "vc+sd-jwt", "jwt_vc_json", "ldp_vc")
        ]

    @pytest.mark.parametrize("words", [(), ("address", "--query", __file__)])
    def test_either_attributes_or_a_query(self, desk: Desk, words: tuple[str, ...]) -> None:
        command = ("verify", "ask", *words, "--purpose", "x", "--gateway", desk.town.gateway_url)
        refused = run_inside(*command, env=desk.verifier)
        assert (refused.exit_code, "either ATTRIBUTES or --query" in refused.output) == (2, True)

    @pytest.mark.parametrize("content", ["", "[]", '{"credentials": []}'])
    def test_a_file_that_holds_no_query(self, desk: Desk, tmp_path: Path, content: str) -> None:
        file = tmp_path / "query.json"
        file.write_text(content, encoding="utf-8")
        result = run_inside(
            *("verify", "ask", "--query", file, "--purpose", "x"),
            *("--gateway", desk.town.gateway_url),
            env=desk.verifier,
        )
        assert isinstance(result.exception, CredentialFormatError | RequestError)


class TestStandingGrants:
    def test_the_whole_way(self, desk: Desk, tmp_path: Path) -> None:
        key = tmp_path / "sealing.key"
        made = json.loads(run_inside("verify", "standing", "keygen", key, "--json", env={}).output)
        assert made["key"] == str(key)
        assert stat.S_IMODE(os.stat(key).st_mode) == 0o600  # noqa: PTH116
        asked = desk.office(
            *("standing", "ask", "address", "--purpose", "Yearly notice"),
            *("--uses", "2", "--days", "365", "--key", str(key)),
        )
        shared = desk.holder("present", asked["link"], "--yes")
        found = desk.office("standing", "status", asked["request"])
        grant = shared["grant"]
        assert (found["status"], found["grant"], found["used"]) == ("live", grant, None)
        look = ("standing", "look", grant, "--key", str(key))
        seen = desk.office(*look)
        assert (seen["use"], seen["attributes"]) == (1, {"address": CARD["--address"]})
        assert [check["name"] for check in seen["checks"]] == [*CHECKS, "receipt"]
        gateway = ("--gateway", desk.town.gateway_url)
        told = run_inside("verify", *look, *gateway, env=desk.verifier).output
        assert CARD["--address"] in told
        assert "use 2" in told
        (row,) = [row for row in desk.office("standing", "grants") if row["grant"] == grant]
        assert (row["used"], row["uses"]) == (2, 2)
        over = run_inside("verify", *look, *gateway, env=desk.verifier)
        assert isinstance(over.exception, ServiceRefusedError)
        assert over.exception.code == "grant_over"
        entries = [entry for entry in desk.holder("history") if entry["grant"] == grant]
        assert [entry["use"] for entry in entries] == [1, 2]

    def test_a_key_file_that_is_none(self, desk: Desk, tmp_path: Path) -> None:
        key = tmp_path / "sealing.key"
        key.write_text("nonsense", encoding="ascii")
        command = ("verify", "standing", "look", "0" * 32, "--key", key, "--gateway", NOWHERE)
        assert isinstance(run_inside(*command, env=desk.verifier).exception, ConfigError)
        again = run_inside("verify", "standing", "keygen", key, env={})
        assert isinstance(again.exception, ConfigError)


class TestExitCodes:
    @pytest.mark.parametrize("passphrase", ["wrong [/]"])
    def test_1_refused(self, desk: Desk, passphrase: str) -> None:
        done = run("wallet", "grants", desk.wallet, env={"TEGATA_PASSPHRASE": passphrase})
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("tegata: WrongPassphraseError: ")
        assert passphrase not in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_3_a_refused_presentation(self, desk: Desk) -> None:
        request, link = desk.ask("address")
        self.answer_with_another(link, desk)
        for flags in (("--json",), ()):
            done = run(
                *("verify", "result", request, "--gateway", desk.town.gateway_url, *flags),
                env=desk.verifier,
            )
            assert done.returncode == 3, done.stderr
            assert "refused" in done.stdout
        assert "✗" in done.stdout

    def test_3_a_request_that_is_not_valid(self, desk: Desk) -> None:
        an_hour_ago = int(time.time()) - 3600
        with VerifierStand(ledger="ab" * 32) as stand:
            link = stand.ask("address", issued_at=an_hour_ago, expires_at=an_hour_ago + 60)
            done = run("wallet", "present", desk.wallet, link, "--yes", env=PASSPHRASE)
        assert (done.returncode, done.stdout) == (3, "")
        assert "ExpiredError" in done.stderr

    def answer_with_another(self, link: str, desk: Desk) -> None:
        """Answer a request with the answer to another one."""
        line = TappedLine()
        passphrase = PASSPHRASE["TEGATA_PASSPHRASE"]
        with Wallet.open(desk.wallet, passphrase, http=line) as wallet:
            other = steal_answer(wallet, line, desk.ask("address")[1])
            own = steal_answer(wallet, line, link)
            uri, _ = line.kept
        form = replace(own, presentation=other.presentation).form()
        with closing(HttpClient()) as http:
            answer = http.post_form(uri, form)
        assert answer.status in (200, 400)

    def test_4_unreachable(self) -> None:
        done = run(
            *("verify", "ask", "address", "--purpose", "why", "--gateway", "http://127.0.0.1:1"),
            env={"TEGATA_API_KEY": "the-secret-key"},
        )
        assert (done.returncode, done.stdout) == (4, "")
        assert "the-secret-key" not in done.stderr

    @pytest.mark.parametrize("service", ["node", "issuer", "gateway"])
    def test_5_a_configuration_that_cannot_be_used(self, tmp_path: Path, service: str) -> None:
        (tmp_path / f"{service}.toml").write_text("nonsense = [[/]]", encoding="utf-8")
        assert isinstance(run_inside(service, "start", tmp_path).exception, ConfigError)
        if service == "node":
            done = run(service, "start", tmp_path)
            assert done.returncode == 5
            assert "ConfigError" in done.stderr
            assert "Traceback" not in done.stderr

    def test_6_a_damaged_store(self, tmp_path: Path) -> None:
        assert run_inside("node", "init", tmp_path / "n").exit_code == 0
        (tmp_path / "n" / "data").mkdir()
        (tmp_path / "n" / "data" / "blocks").write_bytes(b"no block file")
        done = run("node", "start", tmp_path / "n")
        assert done.returncode == 6
        assert "StorageError" in done.stderr


def test_refusals_of_the_services(desk: Desk) -> None:
    refused = [
        (
            ("issuer", "enrol", "--issuer", desk.town.issuer_url, "--token", "wrong-token"),
            ServiceRefusedError,
        ),
        (
            (
                "verify",
                "ask",
                "address",
                "--purpose",
                "x" * 500,
                "--gateway",
                desk.town.gateway_url,
            ),
            ServiceRefusedError,
        ),
        (("verify", "result", "ab" * 16, "--gateway", desk.town.gateway_url), ServiceRefusedError),
        (("wallet", "present", desk.wallet, "nonsense"), RequestError),
        (("wallet", "create", desk.wallet), VaultError),
    ]
    for command, error in refused:
        result = run_inside(*command, env={**PASSPHRASE, **desk.verifier})
        assert isinstance(result.exception, error), (command, result.exception)
        assert "wrong-token" not in str(result.exception)


def test_an_offer_that_is_reviewed(desk: Desk) -> None:
    offer = desk.issuer("offer", *CARD_OPTIONS, "--review")
    code = offer["review_code"]
    assert desk.issuer("review", code)["state"] == "waiting"
    assert desk.issuer("review", code, "--refuse") == {"state": "refused"}
    assert desk.issuer("review", code)["state"] == "refused"


def test_an_offer_to_a_card_where_no_cards_are_taken(desk: Desk) -> None:
    command = ("issuer", "offer-to-card", "--issuer", desk.town.issuer_url)
    refused = run_inside(*command, env=desk.operator)
    assert isinstance(refused.exception, ServiceRefusedError)
