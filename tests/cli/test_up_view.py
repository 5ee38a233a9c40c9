"""What `tegata up` shows on a terminal."""

import io
from pathlib import Path

from rich.console import Console

from node.cli.machine import INSTALL_FACE, Line, Machine
from node.cli.up import TerminalView

PAIRING = "http://wallet.localhost:8084/pair?code=abc"


def test_pages_notes_and_the_last_lines_of_all_logs(tmp_path: Path) -> None:
    shown = io.StringIO()
    view = TerminalView(Console(file=shown, force_terminal=True, width=120, color_system=None))
    machine = Machine(tmp_path, 8080, view)
    with view:
        view.tell("starting gateway")
        view.note(f"There is no face service. {INSTALL_FACE}")
        for number in range(40):
            view.show(Line(service="credit_union", text=f"line {number} \x1b[31m" + "x" * 200))
        machine.pages = {"wallet": PAIRING, "gateway": "http://127.0.0.1:8080/verifier/"}
        view.is_up(machine)
    last = shown.getvalue().rpartition("Everything runs. Ctrl-C stops it")[2]
    assert PAIRING in last
    assert "opens once" in last
    assert f". {machine.environment_file}" in last.replace("\n", "")
    assert INSTALL_FACE in last
    # The newest lines, cut at the edge, with nothing in them that a terminal would obey.
    assert "line 39" in last
    assert "line 5 " not in last
    assert r"\x1b[31m" in last
    assert "\x1b[31m" not in last
