"""Every link in a document leads somewhere: to a file of the tree, and to a heading in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_OURS = {"node_modules", "build", "dist"}

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")


def documents() -> list[Path]:
    folders = [p for p in ROOT.iterdir() if p.is_dir() and not is_foreign(p.name)]
    found = [*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))]
    return sorted(path for path in found if not any(map(is_foreign, path.relative_to(ROOT).parts)))


def is_foreign(name: str) -> bool:
    return name in NOT_OURS or name.startswith(".")


def prose_of(document: Path) -> str:
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def anchors_of(document: Path) -> set[str]:
    """Return the names of a document's headings, as GitHub and GitLab make them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in _HEADING.findall(prose_of(document))
    }


def broken_links(document: Path, root: Path = ROOT) -> list[str]:
    broken = []
    for link in _LINK.findall(prose_of(document)):
        path, _, anchor = link.partition("#")
        if _ELSEWHERE.match(link):
            continue
        target = document if not path else (document.parent / path).resolve()
        inside = target.is_relative_to(root) and target.exists()
        if not inside or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", documents(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    assert broken_links(document) == []


def test_every_picture_of_a_page_is_shown() -> None:
    shown = {
        (document.parent / link).resolve()
        for document in documents()
        for link in _LINK.findall(prose_of(document))
    }
    assert set((ROOT / "docs" / "images").iterdir()) - shown == set()


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("# One heading\n[a](#one-heading) [b](#two) [c](none.md)\n")
    assert broken_links(document, tmp_path) == ["#two", "none.md"]
