"""One telling of the story for all tests of it."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console
from support.story_town import NotingStage, ToldStory, canary_resident

from client_sdk.wallet import Wallet
from node.cli.demo.cast import Cast
from node.cli.demo.story import tell
from node.cli.demo.town import Town


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToldStory]:
    """The story, told; its town still runs."""
    output = io.StringIO()
    with Town(tmp_path_factory.mktemp("town")) as town:
        told = ToldStory(town=town, wallet_file=town.folder / "w", passphrase="for this test")
        cast = Cast(
            town,
            NotingStage(Console(file=output, width=170), told),
            canary_resident(),
            wallet_file=told.wallet_file,
            passphrase=told.passphrase,
        )
        with cast:
            tell(cast)
        told.text = output.getvalue()
        yield told


@pytest.fixture(scope="session")
def wallet(told: ToldStory) -> Iterator[Wallet]:
    """The resident's wallet after the story."""
    with Wallet.open(told.wallet_file, told.passphrase) as wallet:
        yield wallet
