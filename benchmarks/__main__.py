"""`python -m benchmarks`: measure everything, show a table, keep it as JSON and Markdown."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.credentials import credential_steps
from benchmarks.escrow import EscrowBench
from benchmarks.figures import Figure
from benchmarks.issuing import IssuingBench
from benchmarks.ledger import LedgerBench
from benchmarks.machine import read_machine
from benchmarks.report import save, table
from benchmarks.signatures import signature_steps
from benchmarks.state_growth import StateGrowth, account_sizes


@click.command()
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the figures in this file, and as Markdown beside it.",
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
def main(
    *,
    json_file: Path | None,
    folder: Path | None,
    accounts: int,
    transactions: int,
    residents: int,
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
        task = progress.add_task("start a ledger node", total=None)
        ledger = stack.enter_context(LedgerBench(scratch))
        escrow = stack.enter_context(EscrowBench(scratch))
        growth = StateGrowth(scratch, account_sizes(accounts), transactions)
        issuing = stack.enter_context(IssuingBench(scratch, residents))
        steps = [
            *credential_steps(),
            *signature_steps(),
            *ledger.steps(),
            *growth.steps(),
            *escrow.steps(),
            *issuing.steps(),
        ]
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
        markdown = save(json_file, figures, machine)
        console.print(f"[dim]kept in {json_file} and {markdown}[/]")


if __name__ == "__main__":
    main()
