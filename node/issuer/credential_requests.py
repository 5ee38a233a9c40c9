"""Credential requests: what they ask for, and how their answer is to travel (section 8.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject
from client_sdk.errors import CredentialFormatError, KeyFormatError
from client_sdk.openid4vci.message_encryption import (
    MEDIA_TYPE,
    MessageEncryption,
    decrypt_message,
    parse_response_encryption,
)
from client_sdk.strict_json import parse_strict_json_object
from node.issuer.configurations import CONFIGURATION_ID, configuration_of
from node.issuer.errors import ProtocolError
from node.issuer.tables import StoredOffer

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletMessage:
    """A request to the credential endpoint or the deferred one.

    Attributes:
        fields: Its members.
        encryption: How the answer is to be encrypted; None for not at all.
    """

    fields: JsonObject
    encryption: MessageEncryption | None


class MessageReader:
    """Reads requests, plain or encrypted to this service's key (section 10)."""

    def __init__(self, key: ECKey, *, encryption_required: bool) -> None:
        """Make a reader.

        Args:
            key: What wallets encrypt to.
            encryption_required: Whether requests and answers must be encrypted.
        """
        self._key = key
        self._is_required = encryption_required

    def read(self, body: bytes, media_type: str) -> WalletMessage:
        """Return what a wallet sent.

        Raises:
            ProtocolError: It is of another media type, malformed, not encrypted where it must be,
                or wants its answer in a way that is not supported.
        """
        match media_type:
            case "application/json":
                if self._is_required:
                    raise ProtocolError(
                        "invalid_encryption_parameters", "request encryption is required"
                    )
                fields = _parse(body)
            case "application/jwt":
                try:
                    fields = decrypt_message(body, self._key)
                except CredentialFormatError as error:
                    raise ProtocolError("invalid_credential_request", f"the JWE: {error}") from None
            case _:
                raise ProtocolError(
                    "invalid_credential_request", f"Content-Type: {_JSON} or {MEDIA_TYPE}"
                )
        return WalletMessage(fields=fields, encryption=self._encryption(fields, media_type))

    def _encryption(self, fields: JsonObject, media_type: str) -> MessageEncryption | None:
        if "credential_response_encryption" not in fields:
            if self._is_required:
                raise ProtocolError(
                    "invalid_encryption_parameters", "credential_response_encryption is missing"
                )
            return None
        try:
            encryption = parse_response_encryption(fields["credential_response_encryption"])
        except KeyFormatError as error:
            raise ProtocolError("invalid_encryption_parameters", str(error)) from None
        if media_type != MEDIA_TYPE:
            # Otherwise whoever changes the request on its way would read the answer.
            raise ProtocolError(
                "invalid_encryption_parameters", "who wants it encrypted encrypts the request"
            )
        return encryption


def validate_wanted(
    fields: JsonObject, offer: StoredOffer, configurations: Mapping[str, str]
) -> str:
    """Return the format of the credential that a request is for (section 8.2).

    Args:
        fields: The request.
        offer: What its token stands for.
        configurations: The formats of the issuer's credential configurations.

    Raises:
        ProtocolError: It names none, two, in the wrong way, or one that there is not.
    """
    identifier = fields.get("credential_identifier")
    configuration = fields.get("credential_configuration_id")
    if identifier is not None and configuration is not None:
        raise ProtocolError("invalid_credential_request", "the credential is named in two ways")
    if identifier is not None:
        if not isinstance(identifier, str) or identifier != offer.identifier:
            raise ProtocolError(
                "unknown_credential_identifier", "credential_identifier: not one of the token's"
            )
        configuration = configuration_of(identifier)
    if not isinstance(configuration, str):
        raise ProtocolError(
            "invalid_credential_request", "credential_configuration_id is missing or no text"
        )
    prepared = offer.prepared_record is not None and configuration != CONFIGURATION_ID
    if configuration not in configurations or prepared:
        raise ProtocolError("unknown_credential_configuration", "credential_configuration_id")
    if offer.identifier is not None and identifier is None:
        raise ProtocolError(
            "invalid_credential_request", "the token's answer named credential_identifiers"
        )
    return configurations[configuration]


def _parse(body: bytes) -> JsonObject:
    try:
        return parse_strict_json_object(body)
    except CredentialFormatError as error:
        raise ProtocolError("invalid_credential_request", f"the body: {error}") from None
