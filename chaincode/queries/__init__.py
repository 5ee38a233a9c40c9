"""Answers to queries: permissioned reads of a committed state. One module a subject."""

from chaincode.queries.answer import answer_query, error_response, may_fetch_commits
from chaincode.queries.asker import MAX_RESPONSE_BYTES

__all__ = ["MAX_RESPONSE_BYTES", "answer_query", "error_response", "may_fetch_commits"]
