"""Letting a gateway take the word of a face service."""

from pathlib import Path

from node.cli.config_file import extend_config, replace_config
from node.cli.face import FILE_NAME, PUBLIC_KEY_FILE
from node.config import load_config
from node.face.config import FaceConfig
from node.gateway.config import GatewayConfig


def trust_service(gateway_file: Path, folder: Path) -> None:
    """Let a gateway take the word of the face service in FOLDER, unless it takes one already.

    Raises:
        ConfigError: One of the two configurations cannot be used.
    """
    if load_config(gateway_file, GatewayConfig).face_services:
        return
    service = load_config(folder / FILE_NAME, FaceConfig)
    trusted = {
        "name": service.name,
        "key_file": str((folder / PUBLIC_KEY_FILE).absolute()),
        "url": service.public_url,
    }
    text, _ = extend_config(gateway_file, GatewayConfig, "face_services", trusted)
    replace_config(gateway_file, text)
