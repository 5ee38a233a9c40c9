"""What agents say of face tests: whether they want one at each attempt, and where it is made."""

from collections import Counter
from collections.abc import Sequence

from client_sdk.errors import TooFewAgentsError
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.findings import Findings
from client_sdk.http.client import HttpClient
from client_sdk.http.endpoint_url import parse_endpoint


def want_faces(urls: Sequence[str], *, http: HttpClient) -> bool:
    """Tell whether any of some agents says that it wants to see the holder's face each time."""
    findings = Findings()
    described = (findings.ask(AgentClient(url, http), AgentClient.describe) for url in urls)
    return any(agent is not None and agent.face_required for agent in described)


def find_face_service(urls: Sequence[str], *, http: HttpClient) -> str:
    """Return where more than half of some agents say that faces are tested.

    The holder's portrait goes there, so that one agent's word does not do.

    Raises:
        TooFewAgentsError: Too few of them say the same.
        RequestError: It is no address that a wallet follows.
    """
    findings, told, needed = Findings(), Counter[str](), len(urls) // 2 + 1
    for url in urls:
        described = findings.ask(AgentClient(url, http), AgentClient.describe)
        told.update(set(described.face_services) if described is not None else ())
    ((service, count),) = told.most_common(1) or (("", 0),)
    if count < needed:
        away = sum(found.fault == "unreachable" for found in findings.all)
        raise TooFewAgentsError(
            "too few of the agents say where faces are tested; give the face service's address",
            may_pass=count + away >= needed,
        )
    return parse_endpoint(service, "face service")
