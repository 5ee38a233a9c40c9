"""`python -m benchmarks`: measure everything, show a table, keep it as JSON and Markdown."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.credentials import credential_steps
from benchmarks.escrow import EscrowBench
from benchmarks.figures import Figure, Step
from benchmarks.gateway import ANSWERS, GatewayBench
from benchmarks.issuing import IssuingBench
from benchmarks.ledger import LedgerBench
from benchmarks.machine import read_machine
from benchmarks.plots import plot_figures
from benchmarks.replication import SHORT_SIZES, SIZES, ReplicationBench
from benchmarks.report import load, save, table
from benchmarks.signatures import signature_steps
from benchmarks.state_growth import StateGrowth, account_sizes
from benchmarks.under_load import SHORT, Amounts, UnderLoad

GROUPS: Final = (
    "credentials",
    "signatures",
    "ledger",
    "growth",
    "escrow",
    "issuing",
    "gateway",
    "replication",
)


@click.command()
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the figures in this file, and as Markdown beside it; those of other "
    "groups that stand in it stay.",
)
@click.option(
    "--plots",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Draw the figures into this folder; beside their file otherwise.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the ledger's files go; the system's temporary folder otherwise.",
)
@click.option(
    "--accounts",
    type=click.IntRange(min=10_000),
    default=1_000_000,
    show_default=True,
    help="How many the largest ledger has; the others have 10,000 and each power of ten below.",
)
@click.option(
    "--transactions",
    type=click.IntRange(min=1_000),
    default=100_000,
    show_default=True,
    help="How long the chain is whose start is measured.",
)
@click.option(
    "--residents",
    type=click.IntRange(min=2_000, max=1_040_000),
    default=100_000,
    show_default=True,
    help="How many the city has whose credentials are made beforehand.",
)
@click.option(
    "--only",
    "groups",
    multiple=True,
    type=click.Choice(GROUPS),
    help="Measure this group alone; may be given more than once.",
)
@click.option("--short", is_flag=True, help="Send little: whether it runs, not how fast.")
@click.option(
    "--irohad",
    envvar="IROHAD",
    help="The program of an irohad: the same load goes to it, in the same run.",
)
def main(
    *,
    json_file: Path | None,
    plots: Path | None,
    folder: Path | None,
    accounts: int,
    transactions: int,
    residents: int,
    groups: tuple[str, ...],
    short: bool,
    irohad: str | None,
) -> None:
    """Measure credentials, signatures and the ledger, beside peers and the machine's floor."""
    console = Console(highlight=False)
    figures: list[Figure] = []
    progress = Progress(
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        machine = read_machine(scratch)
        stack.enter_context(progress)
        task = progress.add_task("start the processes", total=None)
        chosen = groups or GROUPS
        steps: list[Step] = []
        if "credentials" in chosen:
            steps += credential_steps()
        if "signatures" in chosen:
            steps += signature_steps()
        if "ledger" in chosen:
            amounts = SHORT if short else Amounts()
            steps += stack.enter_context(UnderLoad(scratch, amounts, irohad)).steps()
            steps += stack.enter_context(LedgerBench(scratch)).steps()
        if "growth" in chosen:
            steps += StateGrowth(scratch, account_sizes(accounts), transactions).steps()
        steps += _service_steps(stack, scratch, chosen, residents=residents, short=short)
        if "replication" in chosen:
            sizes = SHORT_SIZES if short else SIZES
            steps += stack.enter_context(ReplicationBench(scratch, sizes)).steps()
        progress.update(task, total=len(steps))
        for step in steps:
            progress.update(task, description=step.name)
            figures += step.take()
            progress.advance(task)
    console.print(table(figures))
    console.print(
        f"\n[dim]{machine.cpu}, {machine.cores} cores, Python {machine.python}, "
        f"{machine.filesystem}, load {machine.load}, commit {machine.commit}[/]"
    )
    if json_file is not None:
        kept = [figure for figure in load(json_file) if figure.group not in chosen]
        figures = sorted([*kept, *figures], key=lambda figure: GROUPS.index(figure.group))
        files = [
            json_file,
            save(json_file, figures, machine),
            *plot_figures(plots or json_file.parent, figures),
        ]
        console.print(f"[dim]kept in {', '.join(map(str, files))}[/]")


def _service_steps(
    stack: ExitStack, scratch: Path, chosen: Sequence[str], *, residents: int, short: bool
) -> list[Step]:
    """Return the steps of escrow agents, issuers and gateways, whose processes are started."""
    steps: list[Step] = []
    if "escrow" in chosen:
        steps += stack.enter_context(EscrowBench(scratch)).steps()
    if "issuing" in chosen:
        steps += stack.enter_context(IssuingBench(scratch, residents)).steps()
    if "gateway" in chosen:
        answers = 200 if short else ANSWERS
        steps += stack.enter_context(GatewayBench(scratch, answers=answers)).steps()
    return steps


if __name__ == "__main__":
    main()
