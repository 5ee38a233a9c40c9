"""docs/configuration.md says what the configuration classes say of themselves."""

import pytest
from generate_configuration import PAGE, generate
from support.configurations import SERVICES

from node.config import ProcessConfig


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == generate(), (
        "run: PYTHONPATH=tests .venv/bin/python tests/docs/generate_configuration.py"
    )


def test_every_configuration_is_on_it() -> None:
    configurations = ProcessConfig.__subclasses__()
    assert {one for one in configurations if one.__module__.startswith("node.")} == set(
        SERVICES.values()
    )


@pytest.mark.parametrize("service", SERVICES)
def test_the_environment_names_its_service(service: str) -> None:
    assert SERVICES[service].environment_prefix == f"TEGATA_{service.upper()}_"
