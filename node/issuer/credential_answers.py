"""What a wallet is answered, and what the store keeps of its request, sealed under its token."""

from dataclasses import dataclass, field
from typing import Final, Self

from chaincode.encoding import JsonObject
from client_sdk.formats import find_format
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.issuer.anchor import IssuedCredential
from client_sdk.openid4vci.client import FACE_PAGE
from client_sdk.strict_json import encode_json, parse_strict_json_object
from node.issuer.credential_maker import HolderKey
from node.issuer.errors import ProtocolError
from node.issuer.face_tests import FaceCase

POLL_S: Final = 30
"""What a wallet is told to wait before it asks again for a deferred credential, in seconds."""
FACE_POLL_S: Final = 2
"""The same where the holder's face is being tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialAnswer:
    """The answer to a credential request.

    Attributes:
        fields: The members of the answer.
        is_deferred: Whether the credential comes later.
    """

    fields: JsonObject = field(repr=False)
    is_deferred: bool

    @classmethod
    def deferred(cls, transaction_id: str, case: FaceCase | None = None) -> Self:
        """Return the answer that it takes longer, and where a face test is to be made."""
        fields: JsonObject = {"transaction_id": transaction_id, "interval": POLL_S}
        if case is not None:
            fields |= {"interval": FACE_POLL_S, FACE_PAGE: case.page_link}
        return cls(fields=fields, is_deferred=True)

    @classmethod
    def given_out(cls, credentials: tuple[IssuedCredential, ...], notification_id: str) -> Self:
        """Return the answer with the credentials, and the id that a wallet notifies of them by."""
        fields: JsonObject = {
            "credentials": [_to_wire(made) for made in credentials],
            "notification_id": notification_id,
        }
        return cls(fields=fields, is_deferred=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request asks for.

    Attributes:
        keys: The keys that the credentials are to be bound to.
        format: The identifier of their format.
    """

    keys: tuple[HolderKey, ...]
    format: str

    def keep(self, case: FaceCase | None = None) -> bytes:
        """Return what is kept until the credential is there, with the face test it waits for."""
        fields = self._to_fields()
        if case is not None:
            fields["face"] = case.to_fields()
        return encode_json(fields)

    def keep_answered(self, answer: CredentialAnswer) -> bytes:
        """Return what is kept of an answer, so that it can be given again."""
        return encode_json({**answer.fields, **self._to_fields()})

    @classmethod
    def read(cls, kept: bytes) -> tuple[Self, FaceCase | None]:
        """Return what `keep` wrote.

        Raises:
            StorageError: It is something else.
        """
        fields = parse_strict_json_object(kept)
        keys, case = fields.get("keys"), fields.get("face")
        wanted = cls(
            keys=tuple(map(HolderKey.from_fields, keys)) if isinstance(keys, list) else (),
            format=str(fields.get("format", DcSdJwt.identifier)),
        )
        return wanted, None if case is None else FaceCase.from_fields(case)

    def give_again(self, kept: bytes) -> CredentialAnswer:
        """Return the answer that `keep_answered` kept.

        Raises:
            ProtocolError: It was given for other keys, or in another format.
        """
        fields, own = parse_strict_json_object(kept), self._to_fields()
        if (fields.pop("keys"), fields.pop("format", self.format)) != (own["keys"], own["format"]):
            raise ProtocolError("credential_request_denied", "it was issued otherwise")
        return CredentialAnswer(fields=fields, is_deferred=False)

    def _to_fields(self) -> JsonObject:
        return {"keys": [key.to_fields() for key in self.keys], "format": self.format}


def _to_wire(made: IssuedCredential) -> JsonObject:
    credential = find_format(made.format).to_wire(made.credential)
    if made.inclusion is None:
        return {"credential": credential}
    return {"credential": credential, "tegata_inclusion": made.inclusion.to_json()}
