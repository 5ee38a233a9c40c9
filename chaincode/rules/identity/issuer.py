"""The rule of registrations, and who may issue by them."""

from chaincode.errors import RecordCode, RejectedError
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.records import IssuerRecord
from chaincode.rules.identity.changes import get_written
from chaincode.rules.scope import Scope


def check_issuer(scope: Scope, record_id: str, record: IssuerRecord) -> None:
    """Check that a registration may be written: by the registry, and it keeps its issuer.

    Raises:
        RejectedError: It may not; the code says why.
    """
    if scope.creator != REGISTRY_ACCOUNT:
        raise RejectedError(
            RecordCode.NOT_THE_OWNER, f"issuers are registered by {REGISTRY_ACCOUNT} only"
        )
    previous = get_written(scope, scope.creator, record_id, IssuerRecord)
    if previous is not None and previous.issuer != record.issuer:
        raise RejectedError(RecordCode.FIELD_CHANGED, "a registration keeps its issuer")


def check_may_issue(scope: Scope, issuer_record: str) -> None:
    """Check that the creator is an active issuer by this registration.

    Raises:
        RejectedError: It is none.
    """
    registered = get_written(scope, REGISTRY_ACCOUNT, issuer_record, IssuerRecord)
    if registered is None or registered.issuer != scope.creator or registered.state != "active":
        raise RejectedError(
            RecordCode.NOT_AN_ISSUER, f"{scope.creator} is not registered as an active issuer"
        )
