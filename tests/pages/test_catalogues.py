"""The message catalogues are whole: everything that pages say is said in every language."""

import re
from pathlib import Path

import pytest
from support.catalogues import catalogue_files, extract, load, packages

_PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]")


@pytest.mark.parametrize("package", packages(), ids=lambda package: package.name)
def test_every_message_is_translated(package: Path) -> None:
    said = {message.id for message in extract(package) if message.id}
    assert said
    for path in catalogue_files(package):
        translated = {
            message.id: message.string
            for message in load(path)
            if message.id and message.string and not message.fuzzy
        }
        assert said - translated.keys() == set(), f"{path}: run `make messages`, then translate"
        assert translated.keys() - said == set(), f"{path}: run `make messages`"


@pytest.mark.parametrize("package", packages(), ids=lambda package: package.name)
def test_translations_keep_the_placeholders(package: Path) -> None:
    for path in catalogue_files(package):
        for message in load(path):
            ids, strings = (
                value if isinstance(value, tuple) else (value,)
                for value in (message.id, message.string)
            )
            if message.id:
                expected = set(_PLACEHOLDER.findall(ids[-1]))
                for string in strings:
                    assert set(_PLACEHOLDER.findall(string)) == expected, message.id
