"""The holder's look at what each agent logged: whole, signed, and going on from what is known."""

from dataclasses import dataclass, replace

from client_sdk.errors import AccessLogError
from client_sdk.escrow.access_log import LogEntry, verify_head, verify_log
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.findings import AgentFinding, Findings
from client_sdk.escrow.protection import Protection
from client_sdk.http.client import HttpClient


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLog:
    """One agent's log.

    Attributes:
        url: The agent.
        entries: Every request about this wallet's backup, the oldest first.
        head: The log's end, as the agent signed it now.
    """

    url: str
    entries: tuple[LogEntry, ...]
    head: str


def read_logs(
    protection: Protection, *, http: HttpClient
) -> tuple[Protection, tuple[VerifiedLog, ...], tuple[AgentFinding, ...]]:
    """Read and verify the log of each agent.

    Returns:
        The protection with the heads that are known now, the logs, and the agents whose log could
        not be read, or is not the one that they signed before.
    """
    findings, logs = Findings(), []
    for url in protection.urls:
        found = findings.ask(AgentClient(url, http), lambda agent: _read(agent, protection))
        if found is not None:
            logs.append(found)
    read = {log.url: log.head for log in logs}
    protection = replace(
        protection,
        log_heads={**protection.log_heads, **read},
        read_heads={**protection.read_heads, **read},
    )
    return protection, tuple(logs), findings.all


def _read(agent: AgentClient, protection: Protection) -> VerifiedLog:
    handle = protection.handle
    entries, token = agent.log(protection.secret.owner_key, handle)
    head = verify_head(token, expected_handle=handle)
    if head.agent_key != protection.agents.keys[protection.urls.index(agent.url)]:
        raise AccessLogError("another agent signed the log")
    for heads in (protection.read_heads, protection.log_heads):
        known = heads.get(agent.url)
        known_head = None if known is None else verify_head(known, expected_handle=handle)
        verify_log(entries, head, known_head=known_head)
    return VerifiedLog(url=agent.url, entries=entries, head=token)
