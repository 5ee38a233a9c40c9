"""The authority's signer as a process: wires the parts, serves until stopped."""

import hashlib
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Final

import structlog
from flask import Flask, Response, jsonify
from flask_openapi.models.security_scheme import SecurityScheme
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from client_sdk.credentials.jose import MAX_TOKEN_CHARS, parse_public_jwk, thumbprint
from client_sdk.credentials.sd_jwt import MAX_DISCLOSURES
from client_sdk.frost.keys import KeyShare
from client_sdk.issuer.authority_client import ISSUER, group_jwk
from node.authority.config import AuthorityConfig
from node.authority.policy import CredentialTerms, check_credential
from node.authority.status_policy import check_status_list, is_status_list
from node.authority.store import AuthorityStore
from node.errors import ApiError, PolicyRefusedError
from node.threshold.share_file import load_share
from node.threshold.signing_rounds import (
    CommitmentFields,
    OpenedSession,
    SignatureShareFields,
    SigningRounds,
)
from node.web.app import create_api
from node.web.server import serve
from node.web.signed_requests import authenticate_signature

MAX_BODY_BYTES: Final = 512 * 1024
_SECURITY: Final[list[dict[str, list[str]]]] = [{"issuer_signature": []}]
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.authority")

Text = Annotated[str, StringConstraints(max_length=MAX_TOKEN_CHARS)]


class ShareRequest(BaseModel):
    """Round two: a credential or a status list, whole, and who signs it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str = Field(max_length=64)
    commitments: list[CommitmentFields] = Field(max_length=255)
    signing_input: Text = Field(description="Header and payload, RFC 7515 section 5.1.")
    disclosures: list[Text] = Field(max_length=MAX_DISCLOSURES)


def create_app(
    config: AuthorityConfig,
    *,
    store: AuthorityStore,
    share: KeyShare,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Flask:
    """Make the signer's application.

    Args:
        config: The configuration.
        store: Where it is kept what was signed.
        share: The authority's share of the issuer's key.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    rounds = SigningRounds(share)
    terms = CredentialTerms(
        issuer_url=config.issuer_url,
        issuer_account=config.issuer_account,
        ledger_id=config.ledger_id,
        credential_type=config.credential_type,
        key_id=thumbprint(parse_public_jwk(group_jwk(share.group))),
        max_days=config.max_days,
    )
    app = create_api(
        "authority",
        version("tegata"),
        title="Tegata authority",
        description="One authority's part of the signatures under an issuer's threshold key.",
        max_body_bytes=MAX_BODY_BYTES,
        security_schemes={
            "issuer_signature": SecurityScheme.model_validate(
                {"type": "apiKey", "in": "header", "name": "Signature"}
            )
        },
    )

    def authenticate_issuer() -> None:
        authenticate_signature({ISSUER: config.issuer_token_sha256}, needed="the issuer")

    @app.post("/commitments", responses={201: OpenedSession}, security=_SECURITY)
    def begin_signature() -> tuple[Response, int]:
        """Begin a signature (RFC 9591 round one)."""
        authenticate_issuer()
        session, commitment = rounds.begin()
        return jsonify({"session": session, "commitment": commitment.to_fields()}), 201

    @app.post("/signature-shares", responses={200: SignatureShareFields}, security=_SECURITY)
    def sign_credential(body: ShareRequest) -> Response:
        """Read a credential or a status list, and give this authority's part of its signature.

        This is round two.
        """
        authenticate_issuer()
        try:
            record_signed(body, now_ms())
        except PolicyRefusedError as error:
            raise _refused(str(error)) from None
        payload = body.signing_input.encode("ascii")
        part = rounds.finish(body.session, payload, body.commitments)
        return jsonify(part.to_fields())

    def record_signed(body: ShareRequest, now: int) -> None:
        if is_status_list(body.signing_input):
            signed = check_status_list(body.signing_input, terms, now_s=now // 1000)
            if not store.record_list(signed, now_ms=now):
                raise PolicyRefusedError("it takes a revocation back, or is of another size")
            _log.info("status_list_signed", list=signed.list_id)
            return
        place = check_credential(body.signing_input, body.disclosures, terms, now_s=now // 1000)
        digest = hashlib.sha256(body.signing_input.encode("ascii")).hexdigest()
        if not store.record(place, digest, now_ms=now):
            raise PolicyRefusedError(
                "another credential was signed for the same record or place in its list"
            )
        _log.info("credential_signed", record=place.record_id)

    return app


def run_authority(config: AuthorityConfig) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigError: The configuration, the share or the address cannot be used.
        StorageError: The database cannot be used.
    """
    share = load_share(config.share_file)
    store = AuthorityStore(config.database_url)
    try:
        _log.info("signed_until_now", credentials=store.count())
        serve(
            create_app(config, store=store, share=share),
            config.listen,
            service="authority",
            metrics=config.metrics,
        )
    finally:
        store.close()
        share.wipe()


def _refused(reason: str) -> ApiError:
    _log.warning("credential_refused", reason=reason)
    return ApiError(403, "credential_refused", "This authority does not sign this", f"{reason}.")
