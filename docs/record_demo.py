"""Record a run of `tegata demo` in docs/images/demo.svg (`make recording`).

The story is told by real processes; what it printed becomes one picture, which scrolls at a
reader's pace. It loads nothing, and stands still for who wants no motion.
"""

import io
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from node.cli.demo.cast import Cast, example_resident
from node.cli.demo.film import portrait
from node.cli.demo.stage import Stage
from node.cli.demo.story import tell
from node.cli.demo.town import Town

PICTURE: Final = Path(__file__).parent / "images" / "demo.svg"
_COLUMNS: Final = 100
_ROWS: Final = 30
_ROW_PX: Final = 24.4
_WIDTH_PX: Final = 1240
_TOP_PX: Final = 40
_HEIGHT_PX: Final = round(_TOP_PX + _ROWS * _ROW_PX + 12)
_STEP_S: Final = 0.5
_ROW_S: Final = 0.18
_LAST_S: Final = 6.0

# What `Console.export_svg` fills in; braces of its own are doubled.
_PICTURE_FORMAT: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 WIDTH HEIGHT" role="img" \
aria-label="A recorded run of tegata demo">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.title {{ font: bold 16px sans-serif; fill: #c5c8c6; text-anchor: middle; }}
.run {{ animation: run DURATIONs step-end infinite; }}
@keyframes run {{ KEYFRAMES }}
@media (prefers-reduced-motion: reduce) {{ .run {{ animation: none; }} }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="WIDTH" height="ROWS"/></clipPath>
{lines}
</defs>
<rect fill="#292929" stroke="#787878" x="1" y="1" width="INNER" height="FRAME" rx="8"/>
<text class="title" x="MIDDLE" y="26">tegata demo</text>
<g transform="translate(10, TOP)" clip-path="url(#{unique_id}-clip-terminal)"><g class="run">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></g>
</svg>
"""


class RecordingConsole(Console):
    """A console that remembers how long its text was after each thing that it printed."""

    def __init__(self) -> None:
        self.printed = io.StringIO()
        self.rows: list[int] = []
        super().__init__(record=True, width=_COLUMNS, file=self.printed, highlight=False)

    def print(self, *objects: Any, **more: Any) -> None:
        """Print; a line that is too long goes on in the next one, as a terminal shows it."""
        super().print(*objects, **{**more, "soft_wrap": False})
        self.rows.append(self.printed.getvalue().count("\n"))


def picture(console: RecordingConsole) -> str:
    """Return what was printed as a picture of the terminal."""
    steps = [(0.0, _ROWS)]
    seconds, before = 0.0, _ROWS
    for row in console.rows:
        if row > before:
            seconds += _STEP_S + _ROW_S * (row - before)
            steps.append((seconds, row))
            before = row
    duration = seconds + _LAST_S
    keyframes = " ".join(
        f"{100 * at / duration:.2f}% "
        f"{{{{ transform: translateY({_ROW_PX * (_ROWS - row):.1f}px); }}}}"
        for at, row in steps
    )
    values = {
        "KEYFRAMES": keyframes,
        "DURATION": f"{duration:.1f}",
        "WIDTH": _WIDTH_PX,
        "INNER": _WIDTH_PX - 2,
        "MIDDLE": _WIDTH_PX // 2,
        "HEIGHT": _HEIGHT_PX,
        "FRAME": _HEIGHT_PX - 2,
        "ROWS": round(_ROWS * _ROW_PX),
        "TOP": _TOP_PX,
    }
    text = _PICTURE_FORMAT
    for name, value in values.items():
        text = text.replace(name, str(value))
    made = console.export_svg(title="tegata demo", code_format=text, unique_id="demo")
    return "\n".join(line.rstrip() for line in made.splitlines()) + "\n"


def main() -> None:
    """Tell the story, and write the picture."""
    console = RecordingConsole()
    with (
        tempfile.TemporaryDirectory(prefix="tegata-demo-") as scratch,
        Town(Path(scratch), with_face=True) as town,
    ):
        cast = Cast(
            town,
            Stage(console),
            example_resident(portrait()),
            wallet_file=town.folder / "hanako.wallet",
            passphrase=secrets.token_urlsafe(16),
        )
        with cast:
            tell(cast)
    PICTURE.write_text(picture(console), encoding="utf-8")
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
