"""`keygen`: several operators make one key that none of them holds."""

from pathlib import Path

import click

from chaincode.signatures import KeyAlgorithm
from node.cli.output import Value, json_option, show
from node.threshold.key_board import GROUP_FILE, SHARE_FILE, KeyBoard, KeygenStatus, KeyPlan


def keygen_command(purpose: str, *, help_text: str) -> click.Command:
    """Return the command `keygen` for keys of one purpose."""

    @click.command("keygen", help=help_text)
    @click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
    @click.option("--threshold", required=True, type=int, help="How many parties sign.")
    @click.option("--parties", required=True, type=int, help="How many parties there are.")
    @click.option(
        "--board",
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="A folder that all parties read and write, or pass on by any means.",
    )
    @click.option("--name", required=True, help="What the other parties call this one.")
    @click.option("--fingerprint", help="Once all parties have compared it.")
    @json_option
    def command(
        folder: Path,
        threshold: int,
        parties: int,
        board: Path,
        name: str,
        fingerprint: str | None,
        as_json: bool,
    ) -> None:
        plan = KeyPlan(
            purpose=purpose,
            algorithm=KeyAlgorithm.ED25519_SHA2,
            threshold=threshold,
            parties=parties,
        )
        status = KeyBoard(folder, board, plan).advance(name=name, confirmed_fingerprint=fingerprint)
        show(_describe(status, folder, parties), as_json=as_json)

    return command


def _describe(status: KeygenStatus, folder: Path, parties: int) -> dict[str, Value]:
    told: dict[str, Value] = {"parties": list(status.parties)}
    if status.fingerprint is not None:
        told["fingerprint"] = status.fingerprint
    if status.group is not None:
        return {
            **told,
            "public_key": status.group.ledger_key,
            "share_file": str(folder / SHARE_FILE),
            "group_key_file": str(folder / GROUP_FILE),
        }
    if len(status.parties) < parties:
        told["next"] = "run this again when the contacts of all parties are on the board"
    elif not status.waiting_for:
        told["next"] = (
            "compare names and fingerprint with the other operators by telephone; if they are the "
            "same for all, run this again with --fingerprint"
        )
    else:
        told["waiting_for"] = list(status.waiting_for)
        told["next"] = "run this again when their messages are on the board"
    return told
