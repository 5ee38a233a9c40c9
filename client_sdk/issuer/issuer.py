"""An issuer: signs credentials, anchors them on the ledger, suspends and revokes them."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from chaincode.encoding import JsonObject
from chaincode.errors import DecodeError
from chaincode.ids import RECORD_ID, REGISTRY_ACCOUNT
from chaincode.records import (
    CredentialRecord,
    CredentialState,
    IssuerRecord,
    encode_record,
)
from client_sdk.credentials.jose import Key
from client_sdk.credentials.sd_jwt_vc import CredentialSigner
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.errors import (
    CredentialFormatError,
    CredentialStateError,
    TransactionFailedError,
    UnknownCredentialError,
)
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.issuer.anchor import (
    IssuedCredential,
    IssuerAnchor,
    IssuerLedger,
    ListPlace,
)
from client_sdk.issuer.signing import IssuerSigner
from client_sdk.ledger.commands import compare_and_set_account_detail, set_record
from client_sdk.ledger.grants import new_record_id


class Issuer:
    """One issuer's account and key. Safe to share between threads."""

    def __init__(
        self,
        ledger: IssuerLedger,
        ledger_id: str,
        *,
        account: str,
        issuer_record: str,
        signing_key: Key | CredentialSigner,
        issuer_url: str,
        certificates: Sequence[str] = (),
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Make an issuer.

        Args:
            ledger: A client of the issuer's account.
            ledger_id: The ledger's id, 64 hex digits.
            account: The issuer's account.
            issuer_record: The id of its `tg_issuer_` record in the registry.
            signing_key: The private key of a JWK in that record, or whoever has it.
            issuer_url: The `iss` claim: where the issuer's service is.
            certificates: As for `IssuerSigner`.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._ledger = ledger
        self._account = account
        self.signer = IssuerSigner(
            ledger_id,
            account=account,
            signing_key=signing_key,
            issuer_url=issuer_url,
            certificates=certificates,
            now_ms=now_ms,
        )
        self.anchor = IssuerAnchor(ledger, account=account, issuer_record=issuer_record)

    @property
    def did(self) -> str:
        """The DID of the issuer's account."""
        return self.signer.did

    def issue(
        self,
        claims: JsonObject,
        *,
        concealed: Collection[Path],
        credential_type: str,
        holder_key: JsonObject,
        expires_at_ms: int,
        holder_account: str | None = None,
        list_place: ListPlace | None = None,
        credential_format: str = DcSdJwt.identifier,
    ) -> IssuedCredential:
        """Sign a credential and anchor it alone; it is given out once the ledger has its hash.

        Args:
            claims: As for `IssuerSigner.sign`, and so the others.
            concealed: Those that the holder may keep back.
            credential_type: The `vct`.
            holder_key: The holder's public JWK.
            expires_at_ms: Milliseconds since 1970, UTC.
            holder_account: The holder's ledger account. Without it no verifier accepts a
                credential that is anchored alone.
            list_place: Where its status stands.
            credential_format: The identifier of its format.

        Raises:
            CredentialFormatError: As `IssuerSigner.sign`, as are the next two.
            KeyFormatError: A key is of no allowed kind.
            FrostError: The issuer's authorities did not sign; nothing was anchored.
            TransactionFailedError: The ledger refused the record: the issuer may not be registered.
            TransportError: The ledger cannot be reached. Issue again: a record that may have been
                written then belongs to a credential that nobody has.
        """
        signed = self.signer.sign(
            claims,
            concealed=concealed,
            credential_type=credential_type,
            holder_key=holder_key,
            expires_at_ms=expires_at_ms,
            holder_account=holder_account,
            list_place=list_place,
            credential_format=credential_format,
        )
        return self.anchor.anchor_alone(signed)

    def suspend(self, record_id: str) -> None:
        """Put an active credential out of force until `reinstate`.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It is not active, or was changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "suspended", allowed=("active",))

    def reinstate(self, record_id: str) -> None:
        """Put a suspended credential back in force.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It is not suspended, or was changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "active", allowed=("suspended",))

    def revoke(self, record_id: str) -> None:
        """Put a credential out of force for good.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            CredentialStateError: It was revoked before, or changed meanwhile.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached.
        """
        self._change(record_id, "revoked", allowed=("active", "suspended"))

    def state(self, record_id: str) -> CredentialState:
        """Return the state of a credential that this issuer anchored.

        Raises:
            UnknownCredentialError: This issuer anchored no such credential.
            TransportError: The ledger cannot be reached.
        """
        return self._read(record_id).state

    def _change(
        self, record_id: str, state: CredentialState, *, allowed: tuple[CredentialState, ...]
    ) -> None:
        before = self._read(record_id)
        if before.state not in allowed:
            raise CredentialStateError(
                f"credential {record_id} is {before.state}, so it cannot become {state}"
            )
        try:
            self._ledger.submit(
                compare_and_set_account_detail(
                    self._account,
                    CredentialRecord.key(record_id),
                    encode_record(replace(before, state=state)),
                    old_value=encode_record(before),
                )
            )
        except TransactionFailedError:
            if self._read(record_id) == before:
                raise
            raise CredentialStateError(
                f"credential {record_id} was changed by another at this moment; look and try again"
            ) from None

    def _read(self, record_id: str) -> CredentialRecord:
        record = None
        if RECORD_ID.fullmatch(record_id):
            record = self._ledger.record(self._account, record_id, CredentialRecord)
        if record is None:
            raise UnknownCredentialError(
                f"{self._account} anchored no credential under this record id"
            )
        return record


def register_issuer(
    ledger: IssuerLedger, record: IssuerRecord, *, record_id: str | None = None
) -> str:
    """Write who may issue what to the registry, and return the record's id.

    Args:
        ledger: A client of the registry account.
        record: The issuer's account, credential types, public keys and state.
        record_id: An existing registration to replace, 32 hex digits; by default a new one.

    Raises:
        CredentialFormatError: A field of the record is not acceptable.
        TransactionFailedError: The ledger refused it.
        TransportError: The ledger cannot be reached.
    """
    record_id = record_id or new_record_id()
    try:
        command = set_record(REGISTRY_ACCOUNT, record_id, record)
    except DecodeError as error:
        raise CredentialFormatError(f"issuer record: {error}") from None
    ledger.submit(command)
    return record_id
