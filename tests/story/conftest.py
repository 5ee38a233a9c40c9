"""One telling of the story for all tests of it, with everything switched on that watches."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console
from support.otlp_receiver import OtlpReceiver, receiving_traces, tracing_here
from support.story_town import NotingStage, ToldStory, canary_resident

from client_sdk.wallet import Wallet
from node.cli.demo.cast import Cast
from node.cli.demo.story import tell
from node.cli.demo.town import Town

WATCHED = ("NODE", "ISSUER", "GATEWAY", "ESCROW")


@pytest.fixture(scope="session")
def traces() -> Iterator[OtlpReceiver]:
    """What collects the story's traces."""
    with receiving_traces() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory, traces: OtlpReceiver) -> Iterator[ToldStory]:
    """The story, told; its town still runs."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in traces.environment.items():
            environment.setenv(name, value)
        for service in WATCHED:
            environment.setenv(f"TEGATA_{service}_METRICS", "127.0.0.1:0")
        with Town(tmp_path_factory.mktemp("town")) as town:
            with tracing_here(traces, "tegata-wallet"):
                told = _tell_in(town)
            environment.undo()
            yield told


def _tell_in(town: Town) -> ToldStory:
    output = io.StringIO()
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
    return told


@pytest.fixture(scope="session")
def wallet(told: ToldStory) -> Iterator[Wallet]:
    """The resident's wallet after the story."""
    with Wallet.open(told.wallet_file, told.passphrase) as wallet:
        yield wallet
