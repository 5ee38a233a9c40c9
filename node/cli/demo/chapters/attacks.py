"""A changed disclosure, a replay, and a stranger's wallet."""

from dataclasses import replace

from node.cli.demo.cast import Cast
from node.cli.demo.thief import change_value, sign_as_stranger


def attack(cast: Cast) -> None:
    """A changed disclosure, a replay, and a stranger's wallet."""
    cast.stage.chapter("Three attacks")
    first = cast.ask()
    stolen = cast.steal(first)
    genuine = stolen.presentation
    forged = change_value(genuine, "1-1 Castle Road")
    result = cast.send(first, replace(stolen, presentation=forged))
    cast.stage.refusal("A disclosure that was changed", result)
    second = cast.ask()
    result = cast.send(second, replace(cast.steal(second), presentation=genuine))
    cast.stage.refusal("An answer that was sent before, to another request", result)
    third = cast.ask()
    stolen = cast.steal(third)
    strange = sign_as_stranger(stolen.presentation)
    result = cast.send(third, replace(stolen, presentation=strange))
    cast.stage.refusal("A stranger's wallet with a stolen credential", result)
