"""`tegata face`: make and run a face service."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from client_sdk.credentials.jose import (
    export_private_jwk,
    export_public_jwk,
    generate_key,
    thumbprint,
)
from node.cli.output import json_option, show
from node.cli.service_commands import (
    folder_argument,
    listen_option,
    public_url_option,
    refuse_second,
    start_command,
)
from node.cli.toml import encode_toml
from node.config import parse_config, save_secret
from node.errors import ConfigError
from node.face.config import FaceConfig

FILE_NAME = "face.toml"
INSTALL: Final = "pip install 'tegata[face]'"
_NEEDS: Final = ("cv2", "numpy", "onnxruntime", "PIL")
PUBLIC_KEY_FILE = "verification.jwk"
_KEY_FILE = Path("keys") / "signing.jwk"


def is_installed() -> bool:
    """Tell whether what a face service sees with is installed."""
    return all(find_spec(name) is not None for name in _NEEDS)


@click.group()
def face() -> None:
    """Make and run a face service: it tests that the person of a portrait is there."""


@face.command()
@folder_argument
@click.option("--name", required=True, help="What its attestations name as their issuer.")
@click.option("--operator", help="Who runs it, as people before the camera are told; the name.")
@listen_option("127.0.0.1:8083")
@public_url_option("browsers reach")
@json_option
def init(
    folder: Path,
    name: str,
    operator: str | None,
    listen: str,
    public_url: str | None,
    as_json: bool,
) -> None:
    """Make a service in FOLDER: its key and face.toml.

    Give verification.jwk to those who are to trust its word: the face_services of gateways, issuers
    and escrow agents. Browsers give a camera to https only, or to this machine.
    """
    refuse_second(folder / FILE_NAME, "a service")
    text = encode_toml(
        {
            "name": name,
            "operator": operator or name,
            "public_url": public_url or f"http://{listen}",
            "listen": listen,
            "signing_key_file": str(_KEY_FILE),
        }
    )
    config = parse_config(text, FaceConfig, path=folder / FILE_NAME)
    signing_key = generate_key()
    try:
        (folder / _KEY_FILE).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / PUBLIC_KEY_FILE).write_text(
            json.dumps(export_public_jwk(signing_key)) + "\n", encoding="ascii"
        )
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be created: {error.strerror}") from None
    save_secret(folder / _KEY_FILE, json.dumps(export_private_jwk(signing_key)))
    save_secret(folder / FILE_NAME, text)
    show(
        {
            "folder": str(folder),
            "name": config.name,
            "public_url": config.public_url,
            "key": thumbprint(signing_key),
            "key_file": str(folder / PUBLIC_KEY_FILE),
            "next": f"tegata face start {folder}",
        },
        as_json=as_json,
    )


face.add_command(
    start_command(
        "the service",
        FaceConfig,
        file=FILE_NAME,
        # What sees is an extra: whoever only makes a service's folder needs none of it.
        run="node.face.process:run_face",
        service="face",
        extra="face",
    )
)
