"""The agent's HTTP interface: every request about a handle carries a proof of possession."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, Final, TypeAlias

import structlog
from flask import Response, jsonify, request
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from chaincode.encoding import decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.escrow.request_proof import PROOF_HEADER
from node.errors import ApiError, StorageError
from node.escrow.callers import Caller, CallerDesk
from node.escrow.deposit_forms import DepositedBackup, HolderStatus, NewDeposit
from node.escrow.deposits import Deposits
from node.escrow.evaluations import Evaluations, Question
from node.web.app import create_api
from node.web.problems import RETRY_AFTER_S, problem_of

# Two backups in base64url, and the statement.
MAX_BODY_BYTES: Final = 2 << 20
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_SECURITY: Final[list[dict[str, list[str]]]] = [{"proof_of_possession": []}]
_HANDLE: Final = r"^[0-9a-f]{32}$"
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.escrow")
_MAX_TOKEN_CHARS: Final = 4096


def _is_base64url(text: str) -> str:
    try:
        decode_base64url(text)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return text


Bytes = Annotated[str, AfterValidator(_is_base64url)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class HandlePath(BaseModel):
    """The name of a recovery card."""

    handle: str = Field(pattern=_HANDLE)


class EpochPath(HandlePath):
    """One deposit of a recovery card."""

    epoch: int = Field(ge=0, lt=1 << 53)


class AgentDescription(_Body):
    """Who this agent is, and on what terms it keeps deposits."""

    name: str
    verification_key: dict[str, str] = Field(description="A public JWK; cards pin it.")
    budget: int = Field(description="Attempts without success until the share is erased.")
    unaided: int = Field(description="How many of them need no word of an issuer's counter.")
    face_required: bool = Field(description="Whether each attempt needs a face attestation.")
    withdrawal_delay_seconds: int = Field(description="How long a withdrawal waits for a veto.")
    issuers: list[str] = Field(description="Whose counters may vouch for holders.")
    face_services: list[str] = Field(description="Where wallets can have faces tested for it.")


class Nonce(_Body):
    """A nonce for one request."""

    nonce: str


class Backup(_Body):
    """A sealed backup."""

    version: int = Field(ge=1, lt=1 << 31)
    sealed: Bytes = Field(description="base64url.")


class Deposit(_Body):
    """What a wallet leaves."""

    statement: str = Field(max_length=16_384, description="A JWT signed by the recovery card.")
    share: Bytes = Field(description="The share of the OPRF key, base64url.")
    backup: Backup


class DepositState(_Body):
    """What is kept of one epoch."""

    epoch: int
    active: bool = Field(description="Whether it was confirmed.")
    usable: bool = Field(description="Whether the share was not erased yet.")
    statement: str
    backup_version: int


class Status(_Body):
    """What is kept of a handle, and what was done with it."""

    handle: str
    deposits: list[DepositState]
    attempts_used: int
    attempts_left: int
    next_attempt_ms: int = Field(description="Milliseconds since 1970, UTC; 0 for at once.")
    withdraw_at_ms: int | None = Field(description="When it will be deleted; null for not.")
    log_head: str = Field(description="A JWT of this agent: the end of the handle's log.")


class EvaluationRequest(_Body):
    """What one who recovers asks."""

    epoch: int = Field(ge=0, lt=1 << 53)
    blinded_element: Bytes = Field(description="An element of ristretto255, base64url.")
    counter_token: str | None = Field(default=None, max_length=_MAX_TOKEN_CHARS)
    face_attestation: str | None = Field(default=None, max_length=_MAX_TOKEN_CHARS)


class EvaluationAnswer(_Body):
    """One agent's part of the output."""

    index: int
    element: str = Field(description="base64url.")
    proof: str = Field(description="RFC 9497's proof against the committed share, base64url.")
    attempts_left: int


class Confirmation(_Body):
    """The epoch whose password was proven."""

    epoch: int = Field(ge=0, lt=1 << 53)


class Backups(_Body):
    """The newest backup, and where there is one an older one."""

    backups: list[Backup]


class Lookup(_Body):
    """The word of an issuer's counter."""

    counter_token: str = Field(max_length=_MAX_TOKEN_CHARS)


class Found(_Body):
    """What is kept for the holder whom the counter vouches for."""

    found: list[Status]


class LogEntryFields(_Body):
    """One entry; `previous` is the SHA-256 of the canonical JSON of the one before it."""

    sequence: int
    time_ms: int
    event: str
    caller: str
    previous: str


class Log(_Body):
    """A handle's log."""

    entries: list[LogEntryFields]
    head: str = Field(description="A JWT of this agent.")


def create_routes(
    description: AgentDescription,
    *,
    desk: CallerDesk,
    deposits: Deposits,
    evaluations: Evaluations,
) -> OpenAPI:
    """Make an application with the agent's routes."""
    app = create_api(
        "escrow",
        version("tegata"),
        title="Tegata escrow agent",
        description="Keeps one share of each holder's backup key, and evaluates with it.",
        max_body_bytes=MAX_BODY_BYTES,
        security_schemes={
            "proof_of_possession": SecurityScheme.model_validate(
                {"type": "apiKey", "in": "header", "name": PROOF_HEADER}
            )
        },
    )
    for kind in (SQLAlchemyError, StorageError):
        app.register_error_handler(kind, _store_unavailable)

    def caller() -> Caller:
        return desk.identify(
            request.headers.get(PROOF_HEADER),
            method=request.method,
            path=request.path,
            body=request.get_data(),
        )

    _add_agent_routes(app, description, desk)
    _add_deposit_routes(app, deposits, caller)
    _add_backup_routes(app, deposits, caller)
    _add_recovery_routes(app, deposits, evaluations, caller)
    return app


def _add_agent_routes(app: OpenAPI, description: AgentDescription, desk: CallerDesk) -> None:
    tags: _Tags = [{"name": "agent"}]

    @app.get("/agent", responses={200: AgentDescription}, tags=tags)
    def describe_agent() -> Response:
        """Say who this agent is."""
        return jsonify(description.model_dump(mode="json"))

    @app.post("/nonces", responses={200: Nonce}, tags=tags)
    def make_nonce() -> Response:
        """Make a nonce for the proof of one request."""
        return jsonify(Nonce(nonce=desk.new_nonce()).model_dump())


def _add_deposit_routes(app: OpenAPI, deposits: Deposits, caller: Callable[[], Caller]) -> None:
    tags: _Tags = [{"name": "deposit"}]

    @app.put("/deposits/<handle>", responses={200: Status}, security=_SECURITY, tags=tags)
    def leave_deposit(path: HandlePath, body: Deposit) -> Response:
        """Leave a share and a backup."""
        new = NewDeposit(
            statement=body.statement,
            share=decode_base64url(body.share),
            backup=_backup_of(body.backup),
        )
        return _answer(deposits.deposit(caller(), path.handle, new))

    @app.get("/deposits/<handle>", responses={200: Status}, security=_SECURITY, tags=tags)
    def read_deposit(path: HandlePath) -> Response:
        """Read what is kept of a handle."""
        return _answer(deposits.read_status(caller(), path.handle))

    @app.delete("/deposits/<handle>", responses={200: Status}, security=_SECURITY, tags=tags)
    def withdraw_deposit(path: HandlePath) -> Response:
        """Withdraw all that is kept: at once with the password's key, else after the delay."""
        return _answer(deposits.withdraw(caller(), path.handle))

    @app.post("/deposits/<handle>/vetoes", responses={200: Status}, security=_SECURITY, tags=tags)
    def veto_withdrawal(path: HandlePath) -> Response:
        """Stop a withdrawal that waits."""
        return _answer(deposits.veto_withdrawal(caller(), path.handle))

    @app.get("/deposits/<handle>/log", responses={200: Log}, security=_SECURITY, tags=tags)
    def read_log(path: HandlePath) -> Response:
        """Read who asked what of this handle, and when."""
        entries, head = deposits.read_log(caller(), path.handle)
        return jsonify({"entries": entries, "head": head})


def _add_backup_routes(app: OpenAPI, deposits: Deposits, caller: Callable[[], Caller]) -> None:
    tags: _Tags = [{"name": "backup"}]
    address = "/deposits/<handle>/backups/<int:epoch>"

    @app.get(address, responses={200: Backups}, security=_SECURITY, tags=tags)
    def read_backups(path: EpochPath) -> Response:
        """Read the sealed backups."""
        backups = [
            Backup(version=backup.version, sealed=encode_base64url(backup.sealed))
            for backup in deposits.read_backups(caller(), path.handle, path.epoch)
        ]
        return jsonify(Backups(backups=backups).model_dump(mode="json"))

    @app.put(address, responses={200: Status}, security=_SECURITY, tags=tags)
    def store_backup(path: EpochPath, body: Backup) -> Response:
        """Leave a newer backup."""
        return _answer(deposits.store_backup(caller(), path.handle, path.epoch, _backup_of(body)))


def _add_recovery_routes(
    app: OpenAPI,
    deposits: Deposits,
    evaluations: Evaluations,
    caller: Callable[[], Caller],
) -> None:
    tags: _Tags = [{"name": "recovery"}]

    @app.post(
        "/deposits/<handle>/evaluations",
        responses={200: EvaluationAnswer},
        security=_SECURITY,
        tags=tags,
    )
    def evaluate(path: HandlePath, body: EvaluationRequest) -> Response:
        """Count an attempt, and evaluate."""
        question = Question(
            epoch=body.epoch,
            blinded_element=decode_base64url(body.blinded_element),
            counter_token=body.counter_token,
            face_attestation=body.face_attestation,
        )
        answer = evaluations.evaluate(caller(), path.handle, question)
        fields = EvaluationAnswer(
            index=answer.evaluation.index,
            element=encode_base64url(answer.evaluation.element),
            proof=encode_base64url(answer.evaluation.proof),
            attempts_left=answer.attempts_left,
        )
        return jsonify(fields.model_dump(mode="json"))

    @app.post(
        "/deposits/<handle>/confirmations",
        responses={200: Status},
        security=_SECURITY,
        tags=tags,
    )
    def confirm_success(path: HandlePath, body: Confirmation) -> Response:
        """Prove that the password was right: the attempts start anew."""
        return _answer(deposits.confirm(caller(), path.handle, body.epoch))

    @app.post("/lookups", responses={200: Found}, security=_SECURITY, tags=tags)
    def find_deposits(body: Lookup) -> Response:
        """Find what is kept for a holder who lost the card, on the word of an issuer's counter."""
        found = [_status(status) for status in deposits.find(caller(), body.counter_token)]
        return jsonify(Found(found=found).model_dump(mode="json"))


def _backup_of(backup: Backup) -> DepositedBackup:
    return DepositedBackup(version=backup.version, sealed=decode_base64url(backup.sealed))


def _answer(status: HolderStatus) -> Response:
    return jsonify(_status(status).model_dump(mode="json"))


def _status(status: HolderStatus) -> Status:
    return Status(
        handle=status.handle,
        deposits=[
            DepositState(
                epoch=deposit.epoch,
                active=deposit.is_active,
                usable=deposit.is_usable,
                statement=deposit.statement,
                backup_version=deposit.backup_version,
            )
            for deposit in status.deposits
        ],
        attempts_used=status.attempts_used,
        attempts_left=status.attempts_left,
        next_attempt_ms=status.next_attempt_ms,
        withdraw_at_ms=status.withdraw_at_ms,
        log_head=status.log_head,
    )


def _store_unavailable(error: Exception) -> Response:
    _log.error("store_unavailable", error=type(error).__name__)
    return problem_of(
        ApiError(
            503,
            "store_unavailable",
            "The agent's store cannot be used now",
            "Send the same again in a moment, with a new nonce.",
            retry_after_s=RETRY_AFTER_S,
        )
    )
