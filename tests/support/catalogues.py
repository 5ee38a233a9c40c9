"""The message catalogues: what the pages say, and what of it is translated.

`make messages` runs this file: it brings every `translations/*.po` in line with the sources.
"""

from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from node.web.languages import LANGUAGES, SOURCE_LANGUAGE

ROOT: Final = Path(__file__).parents[2]
_METHODS: Final = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_OPTIONS: Final = {
    "**/templates/**.html": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}
}
_KEYWORDS: Final = {"gettext": None, "ngettext": (1, 2), "gettext_noop": None}


def packages() -> list[Path]:
    """Return the folders of the packages that have catalogues."""
    return sorted(folder.parent for folder in (ROOT / "node").rglob("translations"))


def catalogue_files(package: Path) -> list[Path]:
    """Return the catalogues that a package must have, one for each language but the source's."""
    return [
        package / "translations" / f"{code}.po" for code in LANGUAGES if code != SOURCE_LANGUAGE
    ]


def extract(package: Path) -> Catalog:
    """Return the messages in a package's sources, without those of packages inside it."""
    catalogue = Catalog(charset="utf-8")
    found = extract_from_dir(str(package), _METHODS, _OPTIONS, keywords=_KEYWORDS, comment_tags=())
    for file, _line, message, _comments, context in found:
        catalogue.add(message, locations=[(file, 0)], context=context)
    return catalogue


def load(path: Path) -> Catalog:
    """Read a catalogue; an empty one where there is none yet."""
    if not path.exists():
        return Catalog(locale=path.stem, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=path.stem, charset="utf-8")


def update(package: Path) -> None:
    """Add new messages to a package's catalogues, and take those away that are no longer said."""
    messages = extract(package)
    for path in catalogue_files(package):
        catalogue = load(path)
        catalogue.update(messages, no_fuzzy_matching=True, update_creation_date=False)
        with path.open("wb") as file:
            write_po(
                file, catalogue, no_location=True, sort_output=True, ignore_obsolete=True, width=100
            )


if __name__ == "__main__":
    for package in packages():
        update(package)
