"""Which rule each field of each command and query has, in the order in which irohad looks at them.

irohad looks at a message twice: first at its form, as it came, then at its fields. What is wrong in
the form is told alone. A field without a rule may hold anything.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf.message import Message

from chaincode import field_rules as rule
from chaincode.broken_rules import BrokenRule, Finding, gather
from chaincode.field_rules import FieldRules, Optional, field_findings
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.queries_pb2 import Query

COMMAND_FORMS: Final[Mapping[str, FieldRules]] = {
    "add_peer": {"peer": rule.peer_form},
    "add_signatory": {"public_key": rule.key_form},
    "call_engine": {"type": rule.engine_form},
    "create_account": {"public_key": rule.key_form},
    "create_asset": {"precision": rule.precision_form},
    "create_role": {"permissions": rule.permissions_form},
    "grant_permission": {"permission": rule.grantable_form},
    "remove_signatory": {"public_key": rule.key_form},
    "revoke_permission": {"permission": rule.grantable_form},
}
COMMAND_FIELDS: Final[Mapping[str, FieldRules]] = {
    "add_asset_quantity": {"asset_id": rule.asset_id, "amount": rule.amount},
    "add_peer": {"peer": rule.peer},
    "add_signatory": {"account_id": rule.account_id, "public_key": rule.public_key},
    "append_role": {"account_id": rule.account_id, "role_name": rule.role_id},
    "call_engine": {
        "caller": rule.account_id,
        "callee": Optional(rule.evm_address),
        "input": rule.engine_input,
    },
    "compare_and_set_account_detail": {
        "account_id": rule.account_id,
        "key": rule.detail_key,
        "value": rule.detail_value,
        "old_value": Optional(rule.detail_value),
    },
    "create_account": {
        "public_key": rule.public_key,
        "account_name": rule.account_name,
        "domain_id": rule.domain_id,
    },
    "create_asset": {"asset_name": rule.asset_name, "domain_id": rule.domain_id},
    "create_domain": {"domain_id": rule.domain_id, "default_role": rule.role_id},
    "create_role": {"role_name": rule.role_id},
    "detach_role": {"account_id": rule.account_id, "role_name": rule.role_id},
    "grant_permission": {"account_id": rule.account_id},
    "remove_peer": {"public_key": rule.public_key},
    "remove_signatory": {"account_id": rule.account_id, "public_key": rule.public_key},
    "revoke_permission": {"account_id": rule.account_id},
    "set_account_detail": {
        "account_id": rule.account_id,
        "key": rule.detail_key,
        "value": rule.detail_value,
    },
    "set_account_quorum": {"account_id": rule.account_id, "quorum": rule.quorum},
    "set_setting_value": {},
    "subtract_asset_quantity": {"asset_id": rule.asset_id, "amount": rule.amount},
    "transfer_asset": {
        "src_account_id": rule.account_id,
        "dest_account_id": rule.account_id,
        "asset_id": rule.asset_id,
        "amount": rule.amount,
        "description": rule.description,
    },
}
QUERY_FORMS: Final[Mapping[str, FieldRules]] = {
    "get_account_asset_transactions": {"pagination_meta": rule.transaction_page_form},
    "get_account_transactions": {"pagination_meta": rule.transaction_page_form},
    "get_pending_transactions": {"pagination_meta": rule.transaction_page_form},
}
QUERY_FIELDS: Final[Mapping[str, FieldRules]] = {
    "get_account": {"account_id": rule.account_id},
    "get_account_asset_transactions": {
        "account_id": rule.account_id,
        "asset_id": rule.asset_id,
        "pagination_meta": rule.transaction_page,
    },
    "get_account_assets": {
        "account_id": rule.account_id,
        "pagination_meta": Optional(rule.asset_page),
    },
    "get_account_detail": {
        "account_id": Optional(rule.account_id),
        "key": Optional(rule.detail_key),
        "writer": Optional(rule.account_id),
        "pagination_meta": Optional(rule.detail_page),
    },
    "get_account_transactions": {
        "account_id": rule.account_id,
        "pagination_meta": rule.transaction_page,
    },
    "get_asset_info": {"asset_id": rule.asset_id},
    "get_block": {"height": rule.height},
    "get_engine_receipts": {"tx_hash": rule.transaction_hash},
    "get_peers": {},
    "get_pending_transactions": {"pagination_meta": Optional(rule.transaction_page)},
    "get_role_permissions": {"role_id": rule.role_id},
    "get_roles": {},
    "get_signatories": {"account_id": rule.account_id},
    "get_transactions": {"tx_hashes": rule.transaction_hashes},
}


def command_form_problem(command: Command) -> BrokenRule | None:
    """Return what is wrong in the form of a command, or None."""
    name = command.WhichOneof("command")
    if name is None:
        return BrokenRule("Undefined command.", ("Not allowed.",))
    if name not in COMMAND_FORMS:
        return None
    body: Message = getattr(command, name)
    return gather(_shown_name(body), field_findings(body, COMMAND_FORMS[name]))


def command_problem(command: Command) -> BrokenRule | None:
    """Return what is wrong with the fields of a command that is set, or None."""
    name = command.WhichOneof("command") or ""
    body: Message = getattr(command, name)
    return gather(_shown_name(body), _command_findings(name, body))


def query_form_problem(payload: Query.Payload) -> BrokenRule | None:
    """Return what is wrong in the form of a query, or None."""
    name = payload.WhichOneof("query")
    if name is None:
        return BrokenRule("Protobuf Query", ("Query is undefined.",))
    findings = field_findings(getattr(payload, name), QUERY_FORMS.get(name, {}))
    return gather("Protobuf Query", findings)


def query_problem(payload: Query.Payload) -> BrokenRule | None:
    """Return what is wrong with the fields of a query that is set, or None."""
    name = payload.WhichOneof("query") or ""
    body: Message = getattr(payload, name)
    findings = field_findings(body, QUERY_FIELDS[name])
    if name == "get_engine_receipts":
        # irohad does not put this one under the query's name.
        return next((each for each in findings if isinstance(each, BrokenRule)), None)
    return gather(body.DESCRIPTOR.name, findings)


def _command_findings(name: str, body: Any) -> Iterator[Finding]:
    if name == "transfer_asset" and body.src_account_id == body.dest_account_id:
        yield "Source and destination accounts are the same."
    yield from field_findings(body, COMMAND_FIELDS[name])


def _shown_name(body: Message) -> str:
    name = body.DESCRIPTOR.name
    return "SetQuorum" if name == "SetAccountQuorum" else name
