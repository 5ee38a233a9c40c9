"""Who vouches for a wallet of the command line: a provider whose key is in a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from cryptography import x509

from client_sdk.openid4vp.access_certificate import load_certificates
from client_sdk.wallet.provider_key import CHAIN_FILE, KEY_FILE, ProviderKey

_Command = TypeVar("_Command", bound=Callable[..., object])


def provider_options(command: _Command) -> _Command:
    """Add where the wallet's provider is to a command."""
    command = click.option(
        "--issuer-authority",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Certificates (PEM) of authorities: take what an issuer says of itself only where "
        "one of them vouches for it.",
    )(command)
    command = click.option(
        "--provider",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help=f"Folder of the wallet's provider ({CHAIN_FILE}, {KEY_FILE}): it vouches for the "
        "wallet and its keys at issuers that demand it (HAIP 1.0).",
    )(command)
    return click.option(
        "--client-id", help="What all wallets of the provider are known by; needs --provider."
    )(command)


def load_provider(folder: Path | None, client_id: str | None) -> ProviderKey | None:
    """Return the provider of a command's options; None where none is named.

    Raises:
        KeyFormatError: Its certificate or key cannot be used.
        click.UsageError: One of the two options is missing.
    """
    if folder is None and client_id is None:
        return None
    if folder is None or client_id is None:
        raise click.UsageError("--provider and --client-id belong together")
    return ProviderKey.load(folder, client_id=client_id)


def load_anchors(file: Path | None) -> tuple[x509.Certificate, ...]:
    """Return the authorities of a command's options; none where no file is named.

    Raises:
        KeyFormatError: The file is no PEM text of certificates.
    """
    return () if file is None else load_certificates(file.read_bytes())
