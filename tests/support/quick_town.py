"""A town whose folders are made inside this process: only its services are processes."""

from support.command_line import run_inside_json

from node.cli.demo.town import Town


class QuickTown(Town):
    """A ledger node, an issuer and a gateway as processes; each start of another costs a second."""

    def run(self, *arguments: str) -> dict[str, str]:
        printed: dict[str, str] = run_inside_json(*arguments)
        return printed
