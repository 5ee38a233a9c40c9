"""What agents say of face tests: whether they want one at each attempt, and where it is made."""

from collections import Counter
from collections.abc import Sequence

from client_sdk.endpoint_url import parse_endpoint
from client_sdk.errors import TooFewAgentsError
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.findings import Findings
from client_sdk.http_client import HttpClient


def want_faces(urls: Sequence[str], *, http: HttpClient) -> bool:
    """Tell whether any of some agents wants to see the holder's face at each attempt.

    Raises:
        TransportError: One cannot be reached.
        ServiceRefusedError: One refuses to say.
    """
    return any(AgentClient(url, http).describe().face_required for url in urls)


def find_face_service(urls: Sequence[str], *, http: HttpClient) -> str:
    """Return where more than half of some agents say that faces are tested.

    The holder's portrait goes there, so that one agent's word does not do.

    Raises:
        TooFewAgentsError: Too few of them say the same.
        RequestError: It is no address that a wallet follows.
    """
    findings, told, needed = Findings(), Counter[str](), len(urls) // 2 + 1
    for url in urls:
        described = findings.ask(AgentClient(url, http), lambda agent: agent.describe())
        told.update(set(described.face_services) if described is not None else ())
    ((service, count),) = told.most_common(1) or (("", 0),)
    if count < needed:
        away = sum(found.fault == "unreachable" for found in findings.all)
        raise TooFewAgentsError(
            "too few of the agents say where faces are tested; give the face service's address",
            may_pass=count + away >= needed,
        )
    return parse_endpoint(service, "face service")
