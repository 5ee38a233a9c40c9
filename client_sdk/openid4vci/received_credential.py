"""A credential as it came from its issuer, checked before a wallet keeps it."""

from dataclasses import dataclass, field
from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from chaincode.ids import ACCOUNT_ID, RECORD_ID
from client_sdk.credentials.jose import Key, export_public_jwk
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM
from client_sdk.errors import CredentialFormatError, HolderBindingError
from client_sdk.formats import ReadCredential, find_format
from client_sdk.formats.dc_sd_jwt import DcSdJwt
from client_sdk.ledger.batches import Inclusion
from client_sdk.openid4vci.issuer_metadata import find_published_key

LEEWAY_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCredential:
    """A credential that its issuer signed for this wallet.

    Attributes:
        record_id: The id of its record on the ledger, 32 hex digits.
        format: The identifier of its format.
        credential_type: Its `vct`, or its type beside `VerifiableCredential`.
        issuer: The issuer's account on the ledger, in the signer's own words.
        issuer_url: The issuer's identifier, whose published key signed it.
        ledger_id: The ledger's id; None where the credential names none.
        account: The holder's account on it; None where the credential names none.
        expires_at_ms: Milliseconds since 1970, UTC.
        inclusion: Where in which batch it is anchored; None where it is anchored alone.
        text: The credential, with all disclosures that it may have.
    """

    record_id: str
    format: str
    credential_type: str
    issuer: str
    issuer_url: str
    ledger_id: str | None
    account: str | None
    expires_at_ms: int
    inclusion: Inclusion | None = None
    text: str = field(repr=False)


def read_received(
    value: JsonValue,
    *,
    credential_format: str,
    credential_type: str,
    issuer_url: str,
    issuer_keys: JsonObject,
    holder_key: Key,
    now_s: int,
) -> ReceivedCredential:
    """Return a credential, checked against the issuer's published keys.

    Args:
        value: The credential as it came.
        credential_format: The format that was asked for.
        credential_type: The type that was asked for.
        issuer_url: The issuer that was asked.
        issuer_keys: That issuer's `jwt-vc-issuer` document.
        holder_key: The key that it must be bound to.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        VerificationError: It is not signed by the issuer, or not for this key.
        CredentialFormatError: It is not well formed, or does not say where its record is.
    """
    known = find_format(credential_format)
    text = known.from_wire(value)

    def find_key(read: ReadCredential) -> Key:
        if read.format == DcSdJwt.identifier and read.issuer != issuer_url:
            raise CredentialFormatError(
                "the credential names another issuer (iss) than the offer's"
            )
        return find_published_key(issuer_keys, expected_issuer=issuer_url, kid=read.key_id)

    verified = known.verify(
        text,
        find_issuer_key=find_key,
        expected_types=[(credential_type,)],
        binding=None,
        now_s=now_s,
        leeway_s=LEEWAY_S,
    )
    if verified.holder_key != export_public_jwk(holder_key):
        raise HolderBindingError("the issuer bound the credential to another key than the wallet's")
    match verified.claims.get(PLACE_CLAIM):
        case {"issuer": str() as issuer, "record": str() as record_id, **others} if (
            ACCOUNT_ID.fullmatch(issuer) and RECORD_ID.fullmatch(record_id)
        ):
            ledger_id, account = others.get("ledger"), others.get("account")
        case _:
            raise CredentialFormatError("the credential does not say where its record is (tegata)")
    if verified.expires_at is None:
        raise CredentialFormatError("the credential does not say when it expires")
    return ReceivedCredential(
        record_id=record_id,
        format=credential_format,
        credential_type=credential_type,
        issuer=issuer,
        issuer_url=issuer_url,
        ledger_id=ledger_id if isinstance(ledger_id, str) else None,
        account=account if isinstance(account, str) else None,
        expires_at_ms=verified.expires_at * 1000,
        text=text,
    )
