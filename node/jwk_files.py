"""Keys of services as JWK files: a service's own, and those of the signers whose word it takes."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from chaincode.errors import DecodeError
from client_sdk.credentials.jose import Key, parse_private_jwk, parse_public_jwk
from client_sdk.errors import ClientError
from client_sdk.strict_json import parse_strict_json_object
from node.config import ConfigPath
from node.errors import ConfigError


class TrustedSigner(BaseModel):
    """One whose word on a holder a service takes.

    Attributes:
        name: What its tokens name as `iss`: an issuer's ledger account, a face service's name.
        key_file: Its public JWK.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=300)
    key_file: ConfigPath


def load_signing_key(path: Path) -> Key:
    """Read a service's private JWK.

    Raises:
        ConfigError: The file cannot be read, or holds no private JWK on Ed25519 or P-256.
    """
    try:
        return parse_private_jwk(parse_strict_json_object(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (ClientError, DecodeError) as error:
        raise ConfigError(f"{path}: no private JWK: {error}") from None


def load_trusted_keys(signers: tuple[TrustedSigner, ...]) -> dict[str, Key]:
    """Read the public JWKs of those who are trusted, by name.

    Raises:
        ConfigError: A file cannot be read, or holds no public JWK.
    """
    keys: dict[str, Key] = {}
    for signer in signers:
        try:
            jwk = parse_strict_json_object(signer.key_file.read_bytes())
            keys[signer.name] = parse_public_jwk(jwk)
        except OSError as error:
            raise ConfigError(f"{signer.key_file}: cannot be read: {error.strerror}") from None
        except ClientError as error:
            raise ConfigError(f"{signer.key_file}: no public JWK: {error}") from None
    return keys
