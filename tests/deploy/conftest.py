"""One city for all tests of its deployment."""

import pytest
from support.deployed_city import City, make_city


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """The folders of all services; none of them runs."""
    return make_city(tmp_path_factory.mktemp("deploy"))
