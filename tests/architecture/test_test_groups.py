"""Tests that share a machine's parts stay on one worker."""

import os

import pytest


@pytest.mark.xdist_group("groups")
def test_a_group_is_known_to_the_workers(request: pytest.FixtureRequest) -> None:
    # Without it pytest-xdist deals the tests of a group out to all workers, and says nothing.
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@groups")
