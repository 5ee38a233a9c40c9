"""The site is made without a warning: every link leads somewhere, every page is in the contents."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_site_is_made_without_a_warning(tmp_path: Path) -> None:
    made = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"),
            *("--builder", "html", "--conf-dir", str(ROOT / "docs"), str(ROOT), str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    page = (tmp_path / "docs" / "sdk.html").read_text(encoding="utf-8")
    assert "present" in page
    assert "Raises" in page
    # Nothing is loaded from elsewhere.
    assert 'src="http' not in page
    assert 'rel="stylesheet" type="text/css" href="http' not in page
