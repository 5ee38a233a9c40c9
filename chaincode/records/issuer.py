"""Who may issue."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from chaincode.encoding import JsonObject
from chaincode.records.fields import ACCOUNT, NAMES, PUBLIC_KEYS, choice
from chaincode.records.record import IdentityRecord

IssuerState = Literal["active", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerRecord(IdentityRecord):
    """`tg_issuer_<id>` on the registry account: who may issue which credentials, with which keys.

    Attributes:
        issuer: The issuer's account.
        credential_types: The `vct` values that it may issue, sorted.
        keys: Public JWKs (RFC 7517), as JSON objects.
        state: A withdrawn issuer anchors nothing new, and its credentials are no longer trusted.
    """

    prefix: ClassVar[str] = "tg_issuer_"

    issuer: Annotated[str, ACCOUNT]
    credential_types: Annotated[tuple[str, ...], NAMES]
    keys: Annotated[tuple[JsonObject, ...], PUBLIC_KEYS]
    state: Annotated[IssuerState, choice(IssuerState)]
