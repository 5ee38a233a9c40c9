"""Three agents of one holder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.escrow_world import EscrowWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EscrowWorld]:
    world = EscrowWorld(tmp_path)
    yield world
    world.close()
