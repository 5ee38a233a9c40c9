"""Makes the credentials of one dataset: as many as there are holder keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.resident import (
    RESIDENT_CREDENTIAL_TYPE,
    ResidentAttributes,
    concealed_paths,
    resident_claims,
)
from client_sdk.issuer import Issuer
from client_sdk.issuer.anchor import IssuedCredential
from node.errors import StorageError
from node.issuer.batch_queue import BatchQueue
from node.issuer.status_lists import StatusLists


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderKey:
    """A key that a credential is to be bound to.

    Attributes:
        jwk: The public JWK, from a checked proof.
        account: The ledger account that it is a signatory of; None where the wallet named none.
    """

    jwk: JsonObject
    account: str | None

    def to_fields(self) -> JsonObject:
        """Return the key as a JSON object."""
        return {"jwk": self.jwk, "account": self.account}

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self:
        """Return what `to_fields` wrote.

        Raises:
            StorageError: It is something else.
        """
        match value:
            case {"jwk": dict() as jwk, "account": None | str() as account}:
                return cls(jwk=jwk, account=account)
            case _:
                raise StorageError("the store's holder keys are damaged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What makes credentials.

    Attributes:
        issuer: Signs, and anchors alone.
        status_lists: Where their statuses stand.
        queue: Anchors in batches.
    """

    issuer: Issuer
    status_lists: StatusLists
    queue: BatchQueue


def make_credentials(
    press: Press,
    attributes: ResidentAttributes,
    keys: Sequence[HolderKey],
    *,
    today: date,
    expires_at_ms: int,
    credential_format: str,
) -> tuple[IssuedCredential, ...]:
    """Sign and anchor one credential for each key, all of the same attributes.

    One that names its holder's account gets its own record. All others are one-time credentials,
    anchored in a batch among those of other residents, so that the ledger does not tell which
    belong together.

    Args:
        press: Signs and anchors.
        attributes: What is attested.
        keys: At least one, all different.
        today: What day it is where the issuer is.
        expires_at_ms: Milliseconds since 1970, UTC.
        credential_format: The identifier of their format.

    Returns:
        The credentials in the order of the keys.

    Raises:
        FrostError: The issuer's authorities did not sign.
        TransactionFailedError: The ledger refused.
        TransportError: The ledger cannot be reached. What was anchored before belongs to
            credentials that nobody has.
    """
    claims = resident_claims(attributes, on=today)
    places = press.status_lists.take(len(keys))
    signed = [
        press.issuer.signer.sign(
            claims,
            concealed=concealed_paths(claims),
            credential_type=RESIDENT_CREDENTIAL_TYPE,
            holder_key=key.jwk,
            holder_account=key.account,
            expires_at_ms=expires_at_ms,
            list_place=place,
            credential_format=credential_format,
        )
        for key, place in zip(keys, places, strict=True)
    ]
    is_alone = [key.account is not None for key in keys]
    together = [member for member, alone in zip(signed, is_alone, strict=True) if not alone]
    batched = iter(press.queue.anchor(together) if together else ())
    return tuple(
        press.issuer.anchor.anchor_alone(member) if alone else next(batched)
        for member, alone in zip(signed, is_alone, strict=True)
    )
