"""What a newcomer meets: every block of the README by a shell, each path within its minutes."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
import requests
from support.command_line import run_inside
from support.documents import ROOT, Block, blocks_of
from support.newcomer import BIN, Machine, Newcomer, running

from node.cli.demo.free_ports import free_addresses, free_ports
from node.cli.demo.town import ServiceProcess
from node.cli.machine import INSTALL_FACE, LOGIN, PORTS, VERIFIER

pytestmark = pytest.mark.xdist_group("newcomer")

ADDRESS = "青葉市緑町三丁目14番15号"
CHAPTERS = [
    "1. Genesis",
    "2. A wallet",
    "3. A credential",
    "4. The ward office asks for the address, and",
    "5. What the verifier saw",
    "6. A shop asks for more than it may",
    "7. A grant for a year, and who looked",
    "8. A face is there, or is not",
    "9. Three attacks",
    "10. The phone is lost",
    "11. Revocation",
    "done in",
]
TITLES = ("What the ward office sees", "All that the ledger stores")
PASSWORD = "three tall towers at noon"
PEOPLE = {"gateway": "aiko", "issuer": "sato", "page": "ito"}
START_ALL = "tegata up machine\n"


def blocks_under(heading: str) -> list[Block]:
    """Return the README's commands under a heading; what runs all the while is apart."""
    found = [block for block in blocks_of("README.md") if block.heading.startswith(heading)]
    return [block for block in found if block.code != START_ALL]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def newcomer(home: Path) -> Newcomer:
    return Newcomer(home)


@pytest.fixture(scope="module")
def machine(home: Path) -> Iterator[Machine]:
    """The README's `tegata up`, on ports that are free here."""
    assert START_ALL in [block.code for block in blocks_of("README.md")]
    program, *words = START_ALL.split()
    command = [str(BIN / program), *words, "--port", str(free_ports(len(PORTS))[0])]
    with running(command, home, signal.SIGINT) as machine:
        yield machine


def add_logins(folder: Path) -> None:
    """Let in whom the three pages' documents let in; `tegata up` has made and starts the rest."""
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        for document in ("verifier-page.md", "issuer-page.md", "operator-page.md"):
            shell = [b for b in blocks_of(f"docs/{document}") if b.language == "sh"]
            (block,) = [block for block in shell if block.reason is None]
            for line in block.code.splitlines():
                program, *words = shlex.split(line)
                assert program == "tegata"
                if "add-login" not in words:
                    assert {"init", "start"} & set(words), line
                    continue
                known = [VERIFIER if word == "ward_office" else word for word in words]
                done = run_inside(*known, typed=f"{PASSWORD}\n{PASSWORD}\n")
                assert done.exit_code == 0, done.output


def log_in(url: str, password: str, *, name: str = LOGIN) -> requests.Response:
    """Log in at a page as a browser does, and return the page behind it."""
    with requests.Session() as browser:
        page = browser.get(url, headers={"Accept-Language": "en"}, timeout=60)
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found
        form = {"csrf_token": found[1], "name": name, "password": password}
        return browser.post(page.url, data=form, timeout=60)


def test_the_story_is_told_on_a_narrow_terminal(tmp_path: Path) -> None:
    told = Newcomer(tmp_path, columns=60).follow(blocks_under("See it"))
    places = [told.index(chapter) for chapter in CHAPTERS]
    assert places == sorted(places)
    assert told.count("refused") >= 7
    assert "IT ASKS FOR MORE THAN IT IS REGISTERED FOR" in " ".join(told.split())
    assert "FOUND" not in told
    assert "NOT REFUSED" not in told
    assert told.count("not there") == 4
    assert not any(all(title in line for title in TITLES) for line in told.splitlines())


def test_one_has_an_issuer_and_a_request_of_ones_own(machine: Machine, newcomer: Newcomer) -> None:
    assert ADDRESS in newcomer.follow(blocks_under("Your own machine, your own issuer"))
    seen = newcomer.follow(blocks_under("Your own request"))
    assert ADDRESS in seen
    assert "手形" not in seen
    assert "Certificate of residence" in seen


def test_the_verifiers_tutorial_runs(machine: Machine, newcomer: Newcomer) -> None:
    newcomer.work_through(blocks_of("docs/verifier-tutorial.md"))


def test_one_loses_the_wallet_and_has_it_back(
    machine: Machine, newcomer: Newcomer, home: Path
) -> None:
    assert ADDRESS in newcomer.follow(blocks_under("Your own recovery"))
    assert not (home / "my.wallet").exists()


def test_a_resident_serves_the_wallet_as_the_page_says(machine: Machine, tmp_path: Path) -> None:
    authority = (machine.folder / "gateway" / "access_authority.crt").read_bytes()
    # Any certificate will do for the ledger's: nothing is asked of it here.
    files = {name: str(tmp_path / name) for name in ("authority.crt", "ledger.crt", "my.wallet")}
    for name in ("authority.crt", "ledger.crt"):
        Path(files[name]).write_bytes(authority)
    blocks = [b.code for b in blocks_of("docs/for-residents.md") if b.language == "console"]
    assert len(blocks) == 4
    phone, *others = free_addresses(3)
    for listen, code in zip(others, sorted(set(blocks)), strict=True):
        prompt, program, *words = shlex.split(code)
        assert (prompt, program) == ("$", "tegata")
        here = {**files, "192.168.1.5:8461": phone}
        arguments = [here.get(word, word) for word in words]
        service = ServiceProcess(
            [*arguments, "--listen", listen, "--json"], tmp_path / "wallet.log", prints=True
        )
        try:
            links = service.printed()
            assert ("scan_once" in links) is ("--phone" in words)
            link = urlsplit(links["open_once"])
            page = requests.get(
                f"http://127.0.0.1:{link.port}{link.path}?{link.query}",
                headers={"Host": link.netloc, "Accept-Language": "en"},
                timeout=60,
            )
            assert "Pair this browser" in page.text
        finally:
            service.stop()


def test_every_page_is_open_to_its_person(machine: Machine) -> None:
    for service in ("gateway", "issuer", "page"):
        page = log_in(machine.said[service], machine.password)
        assert page.status_code == 200
        assert page.url == machine.said[service]


def test_what_was_made_is_for_its_owner_alone(machine: Machine) -> None:
    secrets = [*(machine.folder / "secrets").iterdir()]
    assert {path.name for path in secrets} == {"password", "operator_token", "api_key"}
    for path in (machine.folder / "env", *secrets):
        assert path.stat().st_mode & 0o077 == 0, path
    logs = "".join(path.read_text(encoding="utf-8") for path in machine.folder.glob("*.log"))
    for path in secrets:
        assert path.read_text(encoding="ascii").strip() not in logs


def test_doctor_finds_nothing_to_mend(machine: Machine) -> None:
    findings = json.loads(run_inside("doctor", machine.folder, "--json").stdout)
    assert [row for row in findings if row["grade"] == "bad"] == []
    runs = {row["subject"] for row in findings if row["text"].startswith("runs ")}
    assert {"ledger node", "issuer", "gateway", "page", "face", "notary"} <= runs


def test_it_runs_again_and_says_what_is_not_installed(machine: Machine) -> None:
    """The same folder, where the face test's libraries are gone; and without what is optional."""
    machine.stop()
    with socket.create_server(("127.0.0.1", machine.port)):
        """The ports are free again."""
    kept = ("ledger/genesis.block", "secrets/password", "secrets/api_key")
    before = {name: (machine.folder / name).read_bytes() for name in kept}
    add_logins(machine.folder)
    hidden = "import sys; sys.modules['onnxruntime'] = None; from node.cli.main import main; main()"
    command = [sys.executable, "-c", hidden, "up", "--without", "agents", "--without", "wallet"]
    place = (machine.folder.name, "--port", str(machine.port))
    with running([*command, *place], machine.folder.parent, signal.SIGTERM) as again:
        assert any(INSTALL_FACE in line["line"] for line in again.before)
        pages = {name: again.said.get(name) for name in ("gateway", "issuer", "page", "wallet")}
        assert pages == {**{name: machine.said[name] for name in pages}, "wallet": None}
        assert {name: (machine.folder / name).read_bytes() for name in kept} == before
        for service, name in PEOPLE.items():
            assert log_in(again.said[service], PASSWORD, name=name).url == again.said[service]
        assert "The node is healthy." in log_in(again.said["page"], machine.password).text


@pytest.mark.skipif("TEGATA_SOAK" not in os.environ, reason="installs everything anew: make soak")
def test_a_fresh_clone_is_installed_in_its_minutes(tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "tegata"], check=True)
    Newcomer(tmp_path / "tegata").follow(blocks_under("Install"))
    assert (tmp_path / "tegata" / ".venv" / "bin" / "tegata").exists()


def test_ci_installs_as_the_readme_says() -> None:
    assert [b.code for b in blocks_under("Install")] == ["make setup\n. .venv/bin/activate\n"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\nsetup: $(STAMP)" in makefile
    assert "\ntest: $(STAMP)" in makefile


def test_the_recorded_run_is_of_this_story() -> None:
    picture = ET.parse(ROOT / "docs" / "images" / "demo.svg")
    texts = picture.iter("{http://www.w3.org/2000/svg}text")
    rows = [(float(one.get("y", 0)), float(one.get("x", 0)), one.text or "") for one in texts]
    told = "".join(text for _, _, text in sorted(rows)).replace("\N{NO-BREAK SPACE}", " ")
    places = [told.index(chapter) for chapter in CHAPTERS]
    assert places == sorted(places), "run: make recording"
    source = (ROOT / "docs" / "images" / "demo.svg").read_text(encoding="utf-8")
    # It loads nothing from anywhere.
    assert re.findall(r"\b(?:href|src)=|@import|url\((?!#)", source) == []
