"""docs/command-line.md says what the commands say of themselves."""

from generate_command_line import PAGE, generate

from node.cli import main as command_line


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == generate(), (
        "run: .venv/bin/python tests/docs/generate_command_line.py"
    )


def test_every_exit_code_is_explained() -> None:
    codes = [
        value
        for name, value in vars(command_line).items()
        if name.startswith("EXIT_") and isinstance(value, int)
    ]
    assert codes
    page = generate()
    assert [code for code in codes if f"| {code} |" not in page] == []
