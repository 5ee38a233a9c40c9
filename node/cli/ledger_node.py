"""Which ledger node a command speaks to, and how: the option that has it done over TLS."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from client_sdk.ledger.torii_channel import is_exposed
from node.config import load_certificates

_Command = TypeVar("_Command", bound=Callable[..., object])


class _CertificateFile(click.ParamType[bytes]):
    """A file of PEM certificates, as its bytes."""

    name = "file"

    def convert(
        self,
        value: str | bytes,
        param: click.Parameter | None,  # noqa: ARG002
        ctx: click.Context | None,  # noqa: ARG002
    ) -> bytes:
        """Read the file.

        Raises:
            ConfigError: It cannot be read, or holds something else.
        """
        return value if isinstance(value, bytes) else load_certificates(Path(value))


def root_certificates_option(
    help_text: str = "Speak to the node over TLS; its certificate must lead to one of these (PEM).",
    *,
    envvar: str | list[str] | None = None,
) -> Callable[[_Command], _Command]:
    """Add `--root-certificates` to a command, which is given the bytes of the file, or None."""
    if envvar is not None:
        first = envvar if isinstance(envvar, str) else envvar[-1]
        help_text = f"{help_text.removesuffix('.')}; or {first}."
    return click.option(
        "--root-certificates", type=_CertificateFile(), envvar=envvar, help=help_text
    )


def warn_of_plain(torii: str, root_certificates: bytes | None) -> None:
    """Say on standard error where others can read and change what is said to the node."""
    if is_exposed(torii, root_certificates):
        click.echo(
            f"Warning: {torii} is spoken to without TLS: whoever stands between sees what you do "
            "there. Give its port for TLS, and --root-certificates.",
            err=True,
        )
