"""Details of accounts, as the JSON that irohad makes of them."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias

from chaincode.protocol.primitive_pb2 import AccountDetailRecordId
from chaincode.protocol.qry_responses_pb2 import (
    AccountDetailResponse,
    ErrorResponse,
    QueryResponse,
)
from chaincode.protocol.queries_pb2 import GetAccountDetail
from chaincode.queries.asker import (
    MAX_RESPONSE_BYTES,
    Asker,
    refuse,
    refuse_missing,
    refuse_size,
)
from chaincode.queries.view import LedgerView
from chaincode.rules.details import READ_DETAIL
from chaincode.world_state import (
    count_details,
    detail_key,
    detail_prefix,
    get_account,
    key_parts,
    scan_detail_counts,
)

_ADVICE: Final = "ask with GetAccountDetail and a smaller page_size in its pagination_meta"
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')
"""Most values: nothing in them to escape, so that a long list is answered in half the time."""


_Detail: TypeAlias = tuple[str, str, str]
"""A writer, a key, and the value as JSON."""


def answer_detail(asker: Asker, query: GetAccountDetail) -> QueryResponse:
    """Answer `GetAccountDetail`. Codes: 4 no such first record."""
    account_id = query.account_id if query.HasField("account_id") else asker.account_id
    asker.require_read(account_id, READ_DETAIL)
    if get_account(asker.view, account_id) is None:
        refuse_missing(
            ErrorResponse.NO_ACCOUNT_DETAIL, f"no details in account with such id: {account_id}"
        )
    page = query.pagination_meta
    first = page.first_record_id if page.HasField("first_record_id") else None
    total, entries = _select(asker.view, account_id, query, first)
    found = list(_read(islice(entries, page.page_size or total)))
    if first and total and not (found and found[0][:2] == (first.writer, first.key)):
        refuse(4, account_id)
    response = AccountDetailResponse(detail=_spaced_json(found), total_number=total)
    following = next(entries, None)
    if following is not None:
        _, writer, key = key_parts(following[0])
        response.next_record_id.CopyFrom(AccountDetailRecordId(writer=writer, key=key))
    return QueryResponse(account_detail_response=response)


def all_details_json(view: LedgerView, account_id: str) -> str:
    """Return all details as PostgreSQL writes its jsonb: shorter names before longer ones."""
    writers: dict[str, dict[str, str]] = {}
    for writer, key, quoted in _read(view.scan(detail_prefix(account_id))):
        writers.setdefault(writer, {})[key] = quoted
    return _jsonb({writer: _jsonb(details) for writer, details in writers.items()})


def _select(
    view: LedgerView, account_id: str, query: GetAccountDetail, first: AccountDetailRecordId | None
) -> tuple[int, Iterator[tuple[bytes, bytes]]]:
    """Return how many details the query selects, and the entries from the first on, ascending."""
    start = detail_key(account_id, first.writer, first.key) if first else b""
    if query.HasField("writer"):
        prefix = detail_prefix(account_id, query.writer)
        counts = {query.writer: count_details(view, account_id, query.writer)}
    else:
        prefix = detail_prefix(account_id)
        counts = dict(scan_detail_counts(view, account_id))
    if query.HasField("key"):
        keys = [detail_key(account_id, writer, query.key) for writer in counts]
        if not query.HasField("writer"):
            # Values may be megabytes long, and writers many: each is read again when it is its
            # turn, and let go before.
            keys = [key for key in keys if view.get(key) is not None]
            return len(keys), ((key, view.get(key) or b"") for key in keys if key >= start)
        found = [(key, value) for key in keys if (value := view.get(key)) is not None]
        return len(found), (entry for entry in found if entry[0] >= start)
    return sum(counts.values()), view.scan(prefix, start)


def _read(entries: Iterable[tuple[bytes, bytes]]) -> Iterator[_Detail]:
    """Yield the details in entries of the state; refuse the query when they get too large."""
    size = 0
    for entry, value in entries:
        _, _, writer, key = entry.decode().split("\x00")
        text = value.decode()
        quoted = f'"{text}"' if _PLAIN.fullmatch(text) else _quoted(text)
        # What is escaped may grow to six times its length.
        size += len(entry) + len(value) if len(quoted) == len(text) + 2 else len(quoted.encode())
        if size > MAX_RESPONSE_BYTES:
            refuse_size(_ADVICE)
        yield writer, key, quoted


def _spaced_json(details: Iterable[_Detail]) -> str:
    """Return `{ "writer" : { "key" : "value" } }`, in the order of the details."""
    writers: dict[str, list[str]] = {}
    items: list[str] = []
    last = None
    for writer, key, quoted in details:
        if writer != last:
            items = writers.setdefault(writer, [])
            last = writer
        items.append(f'"{key}" : {quoted}')
    bodies = [f'"{writer}" : {{ {", ".join(items)} }}' for writer, items in writers.items()]
    return f"{{ {', '.join(bodies)} }}" if bodies else "{}"


def _jsonb(items: dict[str, str]) -> str:
    """Return `{"name": value}`; each value is JSON already."""
    ordered = sorted(items, key=lambda name: (len(name), name))
    return "{" + ", ".join(f'"{name}": {items[name]}' for name in ordered) + "}"


def _quoted(value: str) -> str:
    """Return a value as JSON.

    irohad puts a value between quotes as it is, so its clients escape quotes themselves. A value
    that is JSON text in that form stays as it is; any other is escaped, where irohad refuses it.
    """
    as_it_is = f'"{value}"'
    try:
        json.loads(as_it_is)
    except ValueError:
        return json.dumps(value, ensure_ascii=False)
    return as_it_is
