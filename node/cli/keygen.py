"""`keygen` and `reshare`: operators make one key that none of them holds, or deal it anew."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from chaincode.signatures import KeyAlgorithm
from node.cli.output import Value, json_option, show
from node.threshold.ceremony_files import GROUP_FILE, SHARE_FILE
from node.threshold.key_board import KeyBoard, KeygenStatus, reshare_board
from node.threshold.key_contacts import KeyPlan

_Command = TypeVar("_Command", bound=Callable[..., object])


def _board_options(command: _Command) -> _Command:
    for option in (
        json_option,
        click.option("--fingerprint", help="Once all parties have compared it."),
        click.option("--name", required=True, help="What the other parties call this one."),
        click.option(
            "--board",
            required=True,
            type=click.Path(path_type=Path, file_okay=False),
            help="A folder that all parties read and write, or pass on by any means.",
        ),
        click.option("--parties", required=True, type=int, help="How many take part."),
        click.option("--threshold", required=True, type=int, help="How many will sign."),
        click.argument("folder", type=click.Path(path_type=Path, file_okay=False)),
    ):
        command = option(command)
    return command


def keygen_command(purpose: str) -> click.Command:
    """Return `keygen` for keys of one purpose."""

    @click.command()
    @_board_options
    def keygen(
        folder: Path,
        threshold: int,
        parties: int,
        board: Path,
        name: str,
        fingerprint: str | None,
        as_json: bool,
    ) -> None:
        """Make a key that several parties share; this one's share ends up in FOLDER.

        Each party runs this on its own machine, again and again, until it shows the public key.
        """
        plan = KeyPlan(
            purpose=purpose,
            algorithm=KeyAlgorithm.ED25519_SHA2,
            threshold=threshold,
            parties=parties,
        )
        status = KeyBoard(folder, board, plan).advance(name=name, confirmed_fingerprint=fingerprint)
        show(_describe(status, folder, parties), as_json=as_json)

    return keygen


def reshare_command(purpose: str) -> click.Command:
    """Return `reshare` for keys of one purpose."""

    @click.command()
    @_board_options
    @click.option(
        "--newcomer",
        type=(int, click.Path(path_type=Path, exists=True, dir_okay=False)),
        metavar="IDENTIFIER GROUP_KEY",
        help="For a party that has no share, or lost it: the identifier to have, the key's file.",
    )
    @click.option("--leave", is_flag=True, help="Give this party's share up.")
    def reshare(
        folder: Path,
        threshold: int,
        parties: int,
        board: Path,
        name: str,
        fingerprint: str | None,
        newcomer: tuple[int, Path] | None,
        leave: bool,
        as_json: bool,
    ) -> None:
        """Deal the key of the share in FOLDER anew: it stays the same, and old shares fit no more.

        Do it now and then, when a share was lost or may have been seen, and when parties come or
        go. Give the new group key file to whoever has the old one, and restart the signers.
        """
        keys = reshare_board(
            folder,
            board,
            purpose=purpose,
            threshold=threshold,
            parties=parties,
            newcomer=newcomer,
            leaves=leave,
        )
        status = keys.advance(name=name, confirmed_fingerprint=fingerprint)
        show(_describe(status, folder, parties), as_json=as_json)

    return reshare


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
