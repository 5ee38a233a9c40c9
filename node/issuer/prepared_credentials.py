"""Credentials that were made beforehand: sealed under an offer's code until their holder comes."""

from dataclasses import dataclass, field
from typing import Final, Self

from client_sdk.issuer.anchor import IssuedCredential
from client_sdk.strict_json import encode_json, parse_strict_json_object
from node.errors import StorageError
from node.issuer.credential_maker import HolderKey
from node.issuer.errors import ProtocolError
from node.issuer.one_time_secret import unseal
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredOffer

_DAMAGED: Final = "the store's prepared credential is damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCredential:
    """A credential and the key that it is bound to.

    Attributes:
        key: The holder's key, with the account that the credential names.
        credential: The SD-JWT VC with all its disclosures.
    """

    key: HolderKey
    credential: str = field(repr=False)

    def encode(self) -> bytes:
        """Return what is sealed in the place of an offer's attributes."""
        return encode_json({"key": self.key.to_fields(), "credential": self.credential})

    @classmethod
    def decode(cls, plain: bytes) -> Self:
        """Return what `encode` wrote.

        Raises:
            StorageError: It is something else.
        """
        match parse_strict_json_object(plain):
            case {"key": key, "credential": str() as credential}:
                return cls(key=HolderKey.from_fields(key), credential=credential)
            case _:
                raise StorageError(_DAMAGED)


def collect_prepared(
    store: IssuerStore, offer: StoredOffer, token: str, keys: tuple[HolderKey, ...]
) -> IssuedCredential:
    """Return the credential of an offer that was made beforehand, for the key that it is bound to.

    Raises:
        ProtocolError: It is bound to another key, or its batch is not anchored yet.
        StorageError: The store is damaged.
    """
    prepared = PreparedCredential.decode(unseal(offer.attributes, token))
    if keys != (prepared.key,):
        raise ProtocolError(
            "invalid_proof", "key proof: the credential was made for another key or account"
        )
    row = store.credentials.find(offer.prepared_record or "")
    if row is None:
        raise StorageError(_DAMAGED)
    inclusion = store.batches.inclusion(row)
    if inclusion is None:
        raise ProtocolError(
            "temporarily_unavailable", "the batch is not anchored yet; ask again", status=503
        )
    return IssuedCredential(
        record_id=row.record_id,
        expires_at_ms=row.expires_at_ms,
        inclusion=inclusion,
        credential=prepared.credential,
    )
