"""Face tests of the issuer: the face of who is there, compared with the portrait to be attested.

The issuer has the test made, so that a wallet sees no portrait before its holder has passed. It is
made before a credential is issued, or at the counter before one is offered (ADR 0081).
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
COUNTER_PURPOSE: Final = "tegata-counter"
_FINAL: Final = ("passed", "refused", "expired")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSubject:
    """Whose face is tested, and what for.

    Attributes:
        purpose: What for.
        account: The ledger account that the word is for.
        portrait: What the face is compared with.
        request_hash: The one thing that waits for it, SHA-256 in base64url.
    """

    purpose: str
    account: str
    portrait: PortraitOpening = field(repr=False)
    request_hash: str


class FaceTests:
    """Has faces tested before credentials are issued, or offered."""

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

    def subject_of_issuance(
        self, token: str, keys: Sequence[HolderKey], portrait: bytes | None
    ) -> FaceSubject:
        """Return whose face is tested before a credential is issued.

        Args:
            token: The access token.
            keys: The keys that the credential is to be bound to.
            portrait: The one that is to be attested.

        Raises:
            ProtocolError: There is no portrait or account.
        """
        if portrait is None:
            raise ProtocolError(
                "credential_request_denied", "the offer holds no portrait to compare a face with"
            )
        return FaceSubject(
            purpose=ISSUANCE_PURPOSE,
            account=_account_of(keys),
            portrait=salted_portrait(portrait, token),
            request_hash=_hash(
                {
                    "purpose": ISSUANCE_PURPOSE,
                    "issuer": self._public_url,
                    "token": hash_secret(token),
                    "keys": [thumbprint(parse_public_jwk(key.jwk)) for key in keys],
                }
            ),
        )

    def subject_at_counter(self, case: str, portrait: bytes, account: str) -> FaceSubject:
        """Return whose face is tested at the counter, before an offer is made.

        Args:
            case: What is to be offered, sealed.
            portrait: The one that is to be attested.
            account: The issuer's; the person's wallet is not known yet.
        """
        return FaceSubject(
            purpose=COUNTER_PURPOSE,
            account=account,
            portrait=salted_portrait(portrait, case),
            request_hash=_hash(
                {"purpose": COUNTER_PURPOSE, "issuer": self._public_url, "case": hash_secret(case)}
            ),
        )

    def begin(self, subject: FaceSubject) -> FaceCase:
        """Have a test made.

        Raises:
            ProtocolError: The face service does not take it, or does not answer.
        """
        new = NewTest(
            audience=self._public_url,
            purpose=subject.purpose,
            account=subject.account,
            portrait=subject.portrait,
            request_hash=subject.request_hash,
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

    def is_decided(self, case: FaceCase) -> bool:
        """Tell whether a test is over, or forgotten; not where the face service does not answer."""
        try:
            return self._client.read(_started(case)).state in _FINAL
        except ServiceRefusedError:
            return True
        except TransportError:
            return False

    def is_passed(self, case: FaceCase, subject: FaceSubject) -> bool | None:
        """Tell whether a test was passed for a subject; None while it is not decided.

        Raises:
            ProtocolError: The face service does not answer, or its word is of something else.
        """
        try:
            attestation = self._client.fetch_attestation(_started(case))
            if attestation is None:
                return None
            verify_attestation(
                attestation,
                keys=self._keys,
                expected_audience=self._public_url,
                expected_purpose=subject.purpose,
                expected_account=subject.account,
                expected_request_hash=subject.request_hash,
                expected_portraits=(subject.portrait.commitment,),
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


def _started(case: FaceCase) -> StartedTest:
    return StartedTest(
        id=case.test_id,
        capture_token="",
        result_token=case.result_token,
        page_link=case.page_link,
        expires_at_ms=0,
    )


def salted_portrait(portrait: bytes, secret: str) -> PortraitOpening:
    """Return a portrait with a salt that follows from a secret.

    It is the same for each test of an offer: the face service bounds how often one portrait is
    tried.
    """
    salt = hashlib.blake2b(
        secret.encode(), person=b"portrait salt v1", digest_size=SALT_BYTES
    ).digest()
    return PortraitOpening.create(portrait, salt=salt)


def _account_of(keys: Sequence[HolderKey]) -> str:
    accounts = {key.account for key in keys}
    account = accounts.pop()
    if accounts or account is None:
        raise ProtocolError(
            "credential_request_denied",
            "a face test is for one account: name it in the proof of each key",
        )
    return account


def _hash(fields: JsonObject) -> str:
    return encode_base64url(hashlib.sha256(encode_canonical_json(fields)).digest())


def _unavailable(error: TransportError) -> ProtocolError:
    _log.error("face_service_unavailable", detail=str(error))
    return ProtocolError(
        "temporarily_unavailable", "the face service cannot be reached", status=503
    )
