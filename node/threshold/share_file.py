"""A share of a threshold key on an operator's disk, and the group key beside it."""

import json
from pathlib import Path

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.errors import CredentialFormatError, FrostFormatError
from client_sdk.frost.keys import GroupKey, KeyShare, decode_element
from client_sdk.strict_json import parse_strict_json_object
from node.config import save_secret
from node.errors import ConfigError


def save_share(share: KeyShare, path: Path) -> None:
    """Write a share to a new file that only its owner can read.

    Raises:
        ConfigError: The file exists already, or the folder cannot be written.
    """
    fields = {
        "identifier": share.identifier,
        "secret": encode_base64url(share.secret.reveal()),
        "group": share.group.to_fields(),
    }
    save_secret(path, json.dumps(fields, indent=2) + "\n")


def load_share(path: Path) -> KeyShare:
    """Read a share.

    Raises:
        ConfigError: The file cannot be read, or holds no share.
    """
    fields = _read(path)
    identifier, group = fields.get("identifier"), fields.get("group")
    if not isinstance(identifier, int) or not isinstance(group, dict):
        raise ConfigError(f"{path}: not a share of a threshold key")
    try:
        return KeyShare(
            identifier=identifier,
            secret=decode_element(fields.get("secret")),
            group=GroupKey.from_fields(group),
        )
    except FrostFormatError as error:
        raise ConfigError(f"{path}: not a share of a threshold key: {error}") from None


def load_group(path: Path) -> GroupKey:
    """Read a group key, which holds nothing secret.

    Raises:
        ConfigError: The file cannot be read, or holds no group key.
    """
    try:
        return GroupKey.from_fields(_read(path))
    except FrostFormatError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read(path: Path) -> JsonObject:
    try:
        return parse_strict_json_object(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except CredentialFormatError as error:
        raise ConfigError(f"{path}: {error}") from None
