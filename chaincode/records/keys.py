"""The reserved detail keys: which kind of identity record stands under which key."""

from typing import Final, TypeAlias, get_args

from chaincode.errors import DecodeError
from chaincode.records.batch import BatchRecord
from chaincode.records.credential import CredentialRecord
from chaincode.records.grant import GrantRecord
from chaincode.records.issuer import IssuerRecord
from chaincode.records.record import NO_ID
from chaincode.records.recovery import RecoveryRecord
from chaincode.records.seen import SeenRecord
from chaincode.records.status_list import StatusListRecord

RESERVED_PREFIX: Final = "tg_"

AnyRecord: TypeAlias = (
    IssuerRecord
    | CredentialRecord
    | BatchRecord
    | StatusListRecord
    | GrantRecord
    | SeenRecord
    | RecoveryRecord
)
_KINDS: Final[tuple[type[AnyRecord], ...]] = get_args(AnyRecord)


def parse_record_key(key: str) -> tuple[type[AnyRecord], str]:
    """Return the kind and the record id of a reserved detail key.

    Raises:
        DecodeError: No kind has this prefix, or the id is not in the kind's form.
    """
    for kind in _KINDS:
        if kind.single and key == kind.prefix:
            return kind, NO_ID
        if not kind.single and key.startswith(kind.prefix):
            record_id = key.removeprefix(kind.prefix)
            if not kind.id_form.fullmatch(record_id):
                raise DecodeError(f"{kind.prefix}<id>: the id is not {kind.id_words}")
            return kind, record_id
    raise DecodeError(f"detail keys that begin with {RESERVED_PREFIX} are reserved")
