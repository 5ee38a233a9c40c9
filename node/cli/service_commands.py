"""What the commands of all services share: the folder, where a service listens, `start`."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click

from node.cli.lazy_group import load_attribute
from node.config import ProcessConfig, load_config
from node.errors import ConfigError
from node.log import configure_logging
from node.telemetry import configure_telemetry

_Command = TypeVar("_Command", bound=Callable[..., object])

folder_argument: Final[Callable[[_Command], _Command]] = click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False)
)


def listen_option(default: str) -> Callable[[_Command], _Command]:
    """Return `--listen`.

    Args:
        default: `host:port`.
    """
    return click.option("--listen", default=default, show_default=True, help="host:port to bind.")


def public_url_option(whom: str) -> Callable[[_Command], _Command]:
    """Return `--public-url`.

    Args:
        whom: Who comes there, with the verb: "wallets reach".
    """
    return click.option("--public-url", help=f"Where {whom} it; http://LISTEN otherwise.")


def network_option(keys: str) -> Callable[[_Command], _Command]:
    """Return `--network`.

    Args:
        keys: Whose keys lie in the folder: "the administrator's key".
    """
    return click.option(
        "--network",
        required=True,
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help=f"The folder of the running node, with {keys}.",
    )


def refuse_second(config_file: Path, what: str) -> None:
    """Refuse to make what there is already.

    Args:
        config_file: The configuration that it would get.
        what: What is made, with its article.

    Raises:
        ConfigError: The file exists.
    """
    if config_file.exists():
        raise ConfigError(f"{config_file} exists: {what} is not made twice")


def start_command(
    what: str, kind: type[ProcessConfig], *, file: str, run: str, service: str | None, extra: str
) -> click.Command:
    """Return `start` of a service, which is loaded only when it is called.

    Args:
        what: The service, with its article: "the gateway".
        kind: Its configuration.
        file: The name of its configuration's file.
        run: What serves until it is stopped, given the configuration; `module:attribute`.
        service: Its name in traces; None where it sets them up itself.
        extra: What installs it, as `tegata[EXTRA]`.
    """

    @click.command("start", help=f"Run {what} in FOLDER until SIGTERM or Ctrl-C.")
    @folder_argument
    @click.option("--verbose", is_flag=True, help="Log more.")
    def start(folder: Path, verbose: bool) -> None:
        configure_logging(verbose=verbose)
        if service is not None:
            configure_telemetry(service)
        config = load_config(folder / file, kind)
        try:
            serve = load_attribute(run)
        except ImportError as error:
            raise ConfigError(f"{what} needs {error.name}: pip install 'tegata[{extra}]'") from None
        serve(config)

    return start
