"""A face test before a credential is issued: the face of the wallet's holder, and of the portrait.

The issuer has the test made, so that a wallet sees no portrait before its holder has passed.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import structlog

from chaincode.encoding import JsonObject, JsonValue, encode_base64url, encode_canonical_json
from client_sdk.credentials.jose import Key, parse_public_jwk, thumbprint
from client_sdk.errors import (
    AttestationError,
    FaceTestRefusedError,
    ServiceRefusedError,
    TransportError,
)
from client_sdk.face.attestation import verify_attestation
from client_sdk.face.client import FaceClient, NewTest, StartedTest
from client_sdk.face.portrait import SALT_BYTES, PortraitOpening
from node.errors import StorageError
from node.issuer.credential_maker import HolderKey
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import hash_secret

ISSUANCE_PURPOSE: Final = "tegata-issuance"
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceCase:
    """A face test that an issuance waits for.

    Attributes:
        test_id: What the face service knows it by.
        result_token: Fetches its word.
        page_link: Where the person makes it.
    """

    test_id: str
    result_token: str = field(repr=False)
    page_link: str = field(repr=False)

    def to_fields(self) -> JsonObject:
        """Return the case as a JSON object."""
        return {
            "test_id": self.test_id,
            "result_token": self.result_token,
            "page_link": self.page_link,
        }

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self:
        """Return what `to_fields` wrote.

        Raises:
            StorageError: It is something else.
        """
        match value:
            case {
                "test_id": str(test_id),
                "result_token": str(result_token),
                "page_link": str(page_link),
            }:
                return cls(test_id=test_id, result_token=result_token, page_link=page_link)
            case _:
                raise StorageError("the store's face test is damaged")


class FaceTests:
    """Has the faces of holders tested before their credentials are issued."""

    def __init__(
        self,
        client: FaceClient,
        keys: Mapping[str, Key],
        *,
        public_url: str,
        now_ms: Callable[[], int],
    ) -> None:
        """Take a face service.

        Args:
            client: The service.
            keys: Its key, by its name.
            public_url: The issuer's identifier.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._client = client
        self._keys = keys
        self._public_url = public_url
        self._now_ms = now_ms

    def begin(self, token: str, keys: Sequence[HolderKey], portrait: bytes | None) -> FaceCase:
        """Have a test made.

        Args:
            token: The access token.
            keys: The keys that the credential is to be bound to.
            portrait: The one that is to be attested.

        Raises:
            ProtocolError: There is no portrait or account, or the face service does not take it.
        """
        if portrait is None:
            raise ProtocolError(
                "credential_request_denied", "the offer holds no portrait to compare a face with"
            )
        new = NewTest(
            audience=self._public_url,
            purpose=ISSUANCE_PURPOSE,
            account=_account_of(keys),
            portrait=_opening(token, portrait),
            request_hash=self._request_hash(token, keys),
        )
        try:
            test = self._client.create(new)
        except TransportError as error:
            raise _unavailable(error) from None
        except ServiceRefusedError as error:
            _log.warning("face_test_not_made", code=error.code)
            raise ProtocolError("credential_request_denied", str(error)) from None
        _log.info("face_test_made", test=test.id)
        return FaceCase(test_id=test.id, result_token=test.result_token, page_link=test.page_link)

    def is_passed(
        self, case: FaceCase, token: str, keys: Sequence[HolderKey], portrait: bytes | None
    ) -> bool | None:
        """Tell whether a test was passed for this issuance; None while it is not decided.

        Raises:
            ProtocolError: The face service does not answer, or its word is of something else.
        """
        test = StartedTest(
            id=case.test_id,
            capture_token="",
            result_token=case.result_token,
            page_link=case.page_link,
            expires_at_ms=0,
        )
        try:
            attestation = self._client.fetch_attestation(test)
            if attestation is None or portrait is None:
                return None
            verify_attestation(
                attestation,
                keys=self._keys,
                expected_audience=self._public_url,
                expected_purpose=ISSUANCE_PURPOSE,
                expected_account=_account_of(keys),
                expected_request_hash=self._request_hash(token, keys),
                expected_portraits=(_opening(token, portrait).commitment,),
                now_s=self._now_ms() // 1000,
            )
        except (FaceTestRefusedError, ServiceRefusedError):
            # Not passed, or forgotten.
            return False
        except TransportError as error:
            raise _unavailable(error) from None
        except AttestationError as error:
            _log.error("face_attestation_refused", detail=str(error))
            raise ProtocolError("credential_request_denied", str(error)) from None
        return True

    def _request_hash(self, token: str, keys: Sequence[HolderKey]) -> str:
        fields: JsonObject = {
            "purpose": ISSUANCE_PURPOSE,
            "issuer": self._public_url,
            "token": hash_secret(token),
            "keys": [thumbprint(parse_public_jwk(key.jwk)) for key in keys],
        }
        return encode_base64url(hashlib.sha256(encode_canonical_json(fields)).digest())


def _account_of(keys: Sequence[HolderKey]) -> str:
    accounts = {key.account for key in keys}
    account = accounts.pop()
    if accounts or account is None:
        raise ProtocolError(
            "credential_request_denied",
            "a face test is for one account: name it in the proof of each key",
        )
    return account


def _opening(token: str, portrait: bytes) -> PortraitOpening:
    # The same for each test of an offer: the face service bounds how often one portrait is tried.
    salt = hashlib.blake2b(
        b"tegata portrait salt v1", key=token.encode(), digest_size=SALT_BYTES
    ).digest()
    return PortraitOpening.create(portrait, salt=salt)


def _unavailable(error: TransportError) -> ProtocolError:
    _log.error("face_service_unavailable", detail=str(error))
    return ProtocolError(
        "temporarily_unavailable", "the face service cannot be reached", status=503
    )
