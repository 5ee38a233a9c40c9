"""A holder's word, by the account's own key, that a recovery card may recover the account.

Given when the account is protected. Without it anybody could leave a deposit that names another's
account, and have the agents open a recovery of it.
"""

from collections.abc import Iterable
from typing import Final

from chaincode.encoding import encode_canonical_json
from chaincode.errors import SignatureInvalidError
from chaincode.signatures import verify_signature
from client_sdk.errors import RequestProofError, ServiceRefusedError
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.findings import AgentFinding, Findings
from client_sdk.escrow.protection import Protection
from client_sdk.ledger.account_key import AccountKey

_CONTEXT: Final = b"tegata escrow account binding v1:"


def bind_account(
    agents: Iterable[AgentClient], protection: Protection, *, account: str, key: AccountKey
) -> tuple[AgentFinding, ...]:
    """Bind an account to the recovery card at each agent that signs recoveries.

    Doing it again does no harm. An agent that knows another card for the account refuses until that
    card's deposit is withdrawn.

    Returns:
        The agents that did not take it, and why; one that signs no recoveries is none of them.
    """
    signature = sign_binding(key, account=account, handle=protection.handle)
    findings = Findings()

    def ask(agent: AgentClient) -> None:
        try:
            agent.bind_account(
                protection.secret.owner_key,
                protection.handle,
                account=account,
                public_key=key.public_key,
                signature=signature,
            )
        except ServiceRefusedError as error:
            if error.code != "not_found":
                raise

    for agent in agents:
        findings.ask(agent, ask)
    return findings.all


def sign_binding(key: AccountKey, *, account: str, handle: str) -> str:
    """Return the signature of a binding, 128 hex digits; `key` is a signatory of the account."""
    return key.sign(_message(account, handle))


def verify_binding(*, public_key: str, signature: str, account: str, handle: str) -> str:
    """Return the key, now known to have signed the binding; the ledger knows whose it is.

    Raises:
        RequestProofError: It did not.
    """
    try:
        key = verify_signature(
            public_key=public_key, signature=signature, payload=_message(account, handle)
        )
    except SignatureInvalidError as error:
        raise RequestProofError(f"account binding: {error}") from None
    return key.encode()


def _message(account: str, handle: str) -> bytes:
    return _CONTEXT + encode_canonical_json({"account": account, "handle": handle})
