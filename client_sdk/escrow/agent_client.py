"""A wallet's connection to one escrow agent."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import Key, parse_public_jwk, thumbprint
from client_sdk.errors import ServiceRefusedError, TransportError
from client_sdk.escrow.access_log import LogEntry
from client_sdk.escrow.request_proof import PROOF_HEADER, sign_request
from client_sdk.frost.keys import GroupKey
from client_sdk.frost.signing import SignatureShare, SigningCommitment, SigningPackage
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.strict_json import JsonFields, encode_json, text_list
from client_sdk.threshold_oprf import Evaluation

_WHAT = "the agent's answer"
_OUT_OF_ORDER: Final = (502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDescription:
    """What an agent says of itself.

    Attributes:
        name: Who runs it.
        key: The thumbprint of its verification key.
        budget: How many attempts there are before it erases its share.
        face_required: Whether each attempt needs a face attestation.
        withdrawal_delay_seconds: How long a withdrawal waits for a veto.
        face_services: Where faces can be tested for it.
    """

    name: str
    key: str
    budget: int
    face_required: bool
    withdrawal_delay_seconds: int
    face_services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBackup:
    """A backup as an agent keeps it.

    Attributes:
        version: What the agent says is its version.
        sealed: The bytes.
    """

    version: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositState:
    """What an agent says of one epoch; nothing of it is checked yet.

    Attributes:
        epoch: The epoch.
        is_active: Whether it was confirmed.
        is_usable: Whether the share was not erased yet.
        statement: The signed statement.
        backup_version: The newest backup's version.
    """

    epoch: int
    is_active: bool
    is_usable: bool
    statement: str
    backup_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """What an agent says of a handle; nothing of it is checked yet.

    Attributes:
        handle: The handle.
        deposits: What is kept, the newest first.
        attempts_left: How many more evaluations there are.
        next_attempt_ms: From when on, milliseconds since 1970, UTC; 0 for at once.
        withdraw_at_ms: When it is withdrawn; None where nobody asked for that.
        log_head: The log's signed end.
    """

    handle: str
    deposits: tuple[DepositState, ...]
    attempts_left: int
    next_attempt_ms: int
    withdraw_at_ms: int | None
    log_head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What an agent says that the ledger says of an account; nothing of it is checked yet.

    Attributes:
        account: The account.
        signatories: Its keys.
        details: Its records of guard and recovery, by writer and key.
    """

    account: str
    signatories: frozenset[str]
    details: dict[str, dict[str, str]]


class AgentClient:
    """One agent. Each method may raise TransportError, or ServiceRefusedError with its code."""

    def __init__(self, url: str, http: HttpClient) -> None:
        """Prepare a connection.

        Args:
            url: The agent's public address.
            http: How it is reached.
        """
        self.url = url.rstrip("/")
        self._http = http

    def describe(self) -> AgentDescription:
        """Return what the agent says of itself."""
        answer = _content(self._http.get(f"{self.url}/agent"))
        fields = JsonFields(answer, what=_WHAT, error=TransportError)
        return AgentDescription(
            name=fields.text("name"),
            key=thumbprint(parse_public_jwk(answer.get("verification_key"))),
            budget=fields.whole("budget"),
            face_required=answer.get("face_required") is True,
            withdrawal_delay_seconds=fields.whole("withdrawal_delay_seconds"),
            face_services=text_list(answer.get("face_services")),
        )

    def deposit(
        self, key: Key, handle: str, *, statement: str, share: bytes, backup: SealedBackup
    ) -> AgentStatus:
        """Leave a share and a backup."""
        body: JsonObject = {
            "statement": statement,
            "share": encode_base64url(share),
            "backup": _backup_fields(backup),
        }
        return _status(self._send(key, "PUT", f"/deposits/{handle}", body))

    def status(self, key: Key, handle: str) -> AgentStatus:
        """Return what is kept of a handle."""
        return _status(self._send(key, "GET", f"/deposits/{handle}"))

    def find(self, key: Key, counter_token: str) -> tuple[AgentStatus, ...]:
        """Return what is kept for the holder whom an issuer's counter vouches for."""
        answer = self._send(key, "POST", "/lookups", {"counter_token": counter_token})
        found = answer.get("found")
        if not isinstance(found, list):
            raise TransportError(f"{_WHAT}: found is missing or no list")
        return tuple(_status(item if isinstance(item, dict) else {}) for item in found)

    def evaluate(
        self,
        key: Key,
        handle: str,
        *,
        epoch: int,
        blinded_element: bytes,
        counter_token: str | None = None,
        face_attestation: str | None = None,
    ) -> tuple[Evaluation, int]:
        """Use an attempt; return the answer and how many attempts are left."""
        body: JsonObject = {
            "epoch": epoch,
            "blinded_element": encode_base64url(blinded_element),
            "counter_token": counter_token,
            "face_attestation": face_attestation,
        }
        answer = self._send(key, "POST", f"/deposits/{handle}/evaluations", body)
        fields = JsonFields(answer, what=_WHAT, error=TransportError)
        evaluation = Evaluation(
            index=fields.whole("index"),
            element=fields.data("element"),
            proof=fields.data("proof"),
        )
        return evaluation, fields.whole("attempts_left")

    def confirm(self, key: Key, handle: str, *, epoch: int) -> AgentStatus:
        """Prove that the password is known."""
        body: JsonObject = {"epoch": epoch}
        return _status(self._send(key, "POST", f"/deposits/{handle}/confirmations", body))

    def withdraw(self, key: Key, handle: str) -> AgentStatus:
        """Have all that is kept deleted."""
        return _status(self._send(key, "DELETE", f"/deposits/{handle}"))

    def veto_withdrawal(self, key: Key, handle: str) -> AgentStatus:
        """Stop a withdrawal that waits."""
        return _status(self._send(key, "POST", f"/deposits/{handle}/vetoes"))

    def backups(self, key: Key, handle: str, *, epoch: int) -> tuple[SealedBackup, ...]:
        """Return the newest backup, and where there is one an older one."""
        answer = self._send(key, "GET", f"/deposits/{handle}/backups/{epoch}")
        fields = JsonFields(answer, what=_WHAT, error=TransportError)
        return tuple(
            SealedBackup(version=item.whole("version"), sealed=item.data("sealed"))
            for item in fields.objects("backups")
        )

    def store_backup(
        self, key: Key, handle: str, *, epoch: int, backup: SealedBackup
    ) -> AgentStatus:
        """Leave a newer backup."""
        path = f"/deposits/{handle}/backups/{epoch}"
        return _status(self._send(key, "PUT", path, _backup_fields(backup)))

    def log(self, key: Key, handle: str) -> tuple[tuple[LogEntry, ...], str]:
        """Return the handle's log and its signed head, both unchecked."""
        answer = self._send(key, "GET", f"/deposits/{handle}/log")
        fields = JsonFields(answer, what=_WHAT, error=TransportError)
        entries = tuple(
            LogEntry(
                sequence=item.whole("sequence"),
                time_ms=item.whole("time_ms"),
                event=item.text("event"),
                caller=item.text("caller"),
                previous=item.text("previous"),
            )
            for item in fields.objects("entries")
        )
        return entries, fields.text("head")

    def group_key(self) -> tuple[str, int, GroupKey]:
        """Return the escrow account, this agent's identifier in its key, and the key; unchecked."""
        answer = _content(self._http.get(f"{self.url}/group-key"))
        fields = JsonFields(answer, what=_WHAT, error=TransportError)
        group = answer.get("group")
        return (
            fields.text("escrow_account"),
            fields.whole("identifier"),
            GroupKey.from_fields(group if isinstance(group, dict) else {}),
        )

    def bind_account(
        self, key: Key, handle: str, *, account: str, public_key: str, signature: str
    ) -> None:
        """Let a recovery card recover an account (`client_sdk.escrow.account_binding`)."""
        body: JsonObject = {"account": account, "public_key": public_key, "signature": signature}
        self._send(key, "PUT", f"/deposits/{handle}/account", body)

    def account_state(self, key: Key, handle: str, *, counter_token: str | None) -> AccountState:
        """Return what the agent reads on the ledger of the account that a card may recover."""
        body: JsonObject = {"counter_token": counter_token}
        answer = self._send(key, "POST", f"/deposits/{handle}/account-state", body)
        fields = JsonFields(answer, what=_WHAT, error=TransportError)
        writers = fields.member("details")
        return AccountState(
            account=fields.text("account"),
            signatories=frozenset(fields.texts("signatories")),
            details={
                writer: {name: written.text(name) for name in written.names}
                for writer in writers.names
                for written in (writers.member(writer),)
            },
        )

    def begin_signature(
        self, key: Key, handle: str, *, payload: bytes, counter_token: str | None
    ) -> tuple[str, SigningCommitment]:
        """Begin the signature of a recovery's transaction: return the session and commitment."""
        body: JsonObject = {
            "payload": encode_base64url(payload),
            "counter_token": counter_token,
        }
        answer = self._send(key, "POST", f"/deposits/{handle}/signing-sessions", body)
        commitment = answer.get("commitment")
        return (
            JsonFields(answer, what=_WHAT, error=TransportError).text("session"),
            SigningCommitment.from_fields(commitment if isinstance(commitment, dict) else {}),
        )

    def sign(
        self,
        key: Key,
        handle: str,
        *,
        session: str,
        package: SigningPackage,
        counter_token: str | None,
    ) -> SignatureShare:
        """Return the agent's part of a signature that was begun."""
        body: JsonObject = {
            "payload": encode_base64url(package.payload),
            "session": session,
            "commitments": [commitment.to_fields() for commitment in package.commitments],
            "counter_token": counter_token,
        }
        answer = self._send(key, "POST", f"/deposits/{handle}/signature-shares", body)
        return SignatureShare.from_fields(answer)

    def _send(
        self, key: Key, method: str, path: str, value: JsonObject | None = None
    ) -> JsonObject:
        made = _content(self._http.send("POST", f"{self.url}/nonces", headers={}))
        nonce = JsonFields(made, what=_WHAT, error=TransportError).text("nonce")
        url, body = f"{self.url}{path}", b"" if value is None else encode_json(value)
        proof = sign_request(key, method=method, url=url, body=body, nonce=nonce)
        return _content(self._http.send(method, url, body=body, headers={PROOF_HEADER: proof}))

    def __repr__(self) -> str:
        return f"AgentClient({urlsplit(self.url).netloc!r})"


def _content(answer: HttpAnswer) -> JsonObject:
    content = answer.json()
    title, detail = content.get("title", ""), content.get("detail", "")
    if answer.status in _OUT_OF_ORDER:
        raise TransportError(
            f"the agent is out of order (HTTP {answer.status}): {title}. {detail}; later?"
        )
    if answer.status != 200:
        raise ServiceRefusedError(
            f"the agent refused (HTTP {answer.status}): {title}. {detail}",
            code=str(content.get("code", "")),
        )
    return content


def _status(answer: JsonObject) -> AgentStatus:
    fields = JsonFields(answer, what=_WHAT, error=TransportError)
    withdraw_at_ms = answer.get("withdraw_at_ms")
    return AgentStatus(
        handle=fields.text("handle"),
        deposits=tuple(
            DepositState(
                epoch=item.whole("epoch"),
                is_active=item.flag("active"),
                is_usable=item.flag("usable"),
                statement=item.text("statement"),
                backup_version=item.whole("backup_version"),
            )
            for item in fields.objects("deposits")
        ),
        attempts_left=fields.whole("attempts_left"),
        next_attempt_ms=fields.whole("next_attempt_ms"),
        withdraw_at_ms=None if withdraw_at_ms is None else fields.whole("withdraw_at_ms"),
        log_head=fields.text("log_head"),
    )


def _backup_fields(backup: SealedBackup) -> JsonObject:
    return {"version": backup.version, "sealed": encode_base64url(backup.sealed)}
