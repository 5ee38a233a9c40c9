"""The network that the tests of replication share."""

from collections.abc import Iterator

import pytest
from support.peer_lab import PeerLab, require_namespaces


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeerLab]:
    """Four peers in network namespaces, for the whole session."""
    require_namespaces()
    with PeerLab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab
