"""What wallets ask of the issuer: OpenID4VCI 1.0 by the pre-authorized code, and accounts.

The protocol's own errors are JSON with an error code; the account's are problems (RFC 9457).
"""

from typing import Any, Final, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel, ConfigDict, Field

from chaincode.encoding import JsonObject
from client_sdk.errors import CredentialFormatError
from client_sdk.openid4vci.account_assertion import JWT_BEARER, REPLACED_CREDENTIAL
from client_sdk.openid4vci.account_enrolment import MAX_CODE_CHARS as MAX_ENROLMENT_CODE_CHARS
from client_sdk.openid4vci.credential_offer import MAX_CODE_CHARS, PRE_AUTHORIZED_CODE
from client_sdk.openid4vci.issuer_metadata import IssuerMetadata, ServerMetadata
from client_sdk.strict_json import parse_strict_json_object
from node.errors import ApiError
from node.issuer.accounts import AccountRequest, Accounts
from node.issuer.errors import ProtocolError
from node.issuer.issuance import Issuance
from node.issuer.offers import AccessToken, Offers
from node.issuer.renewals import Renewals
from node.web.problems import OAuthError

_FORM: Final = "application/x-www-form-urlencoded"
_METADATA_AGE: Final = "public, max-age=300"
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "wallet"}]
_OBJECT: Final[ResponseDict] = {
    200: {"content": {"application/json": {"schema": {}}}},
    400: OAuthError,
    401: OAuthError,
}
_MAX_TX_CODE_CHARS: Final = 128


class NewAccount(BaseModel):
    """A wallet's request for its account on the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enrolment_code: str = Field(
        min_length=1, max_length=MAX_ENROLMENT_CODE_CHARS, description="From the issuer's counter."
    )
    account_id: str = Field(
        max_length=320, description="A random name of 20 to 32 characters, at the holders' domain."
    )
    public_key: str = Field(
        max_length=136, description="The account's key: `ed0120` and 64 hex digits, or 64 alone."
    )
    proof: str = Field(
        max_length=256, description="The key's signature of the enrolment message, 128 hex digits."
    )


class AccountMade(BaseModel):
    """The account."""

    account_id: str
    ledger_id: str
    issuer_account: str


class OfferPath(BaseModel):
    """The secret id of an offer."""

    id: str = Field(max_length=128)


def add_metadata_routes(
    app: OpenAPI, *, issuer: IssuerMetadata, server: ServerMetadata, keys: JsonObject
) -> None:
    """Publish what the issuer says of itself; the same for everyone, so it may be cached.

    Args:
        app: The application.
        issuer: The issuer's metadata.
        server: The metadata of its authorization server, which is the same service.
        keys: The `jwt-vc-issuer` document.
    """

    @app.get("/.well-known/openid-credential-issuer", responses=_OBJECT, tags=_TAGS)
    def issuer_metadata() -> Response:
        """Describe the issuer (OpenID4VCI 1.0 section 12.2)."""
        return _published(issuer.to_fields())

    @app.get("/.well-known/oauth-authorization-server", responses=_OBJECT, tags=_TAGS)
    def authorization_server_metadata() -> Response:
        """Describe the authorization server (RFC 8414)."""
        return _published(server.to_fields())

    @app.get("/.well-known/jwt-vc-issuer", responses=_OBJECT, tags=_TAGS)
    def issuer_keys() -> Response:
        """Publish the keys that credentials are signed with (SD-JWT VC section 3)."""
        return _published(keys)


def add_credential_routes(
    app: OpenAPI, *, offers: Offers, renewals: Renewals, issuance: Issuance
) -> None:
    """Add the endpoints of OpenID4VCI.

    Args:
        app: The application.
        offers: The issuer's offers.
        renewals: Says to whom a credential is owed anew.
        issuance: Issues what was offered.
    """

    @app.get("/offers/<id>", responses=_OBJECT, tags=_TAGS)
    def fetch_offer(path: OfferPath) -> Response:
        """Fetch an offer, as its link says (OpenID4VCI 1.0 section 4.1.3)."""
        offer = offers.find(path.id)
        if offer is None:
            raise ApiError(
                404,
                "no_such_offer",
                "There is no such offer",
                "It was used or locked, or has expired. Ask the issuer for a new one.",
            )
        return jsonify(offer.to_fields())

    # Bodies are read here, not by the frame, whose refusals are problems that no wallet expects.
    @app.post("/token", responses=_OBJECT, tags=_TAGS)
    def create_token() -> Response:
        """Exchange a pre-authorized code for a token (OpenID4VCI 1.0 section 6).

        Or an account's assertion with a credential to issue anew (RFC 7523 section 2.1).
        """
        token = _redeem(_read_form(), offers, renewals)
        answer = {
            "access_token": token.token,
            "token_type": "Bearer",
            "expires_in": token.lifetime_s,
        }
        return jsonify(answer)

    @app.post("/nonce", responses=_OBJECT, tags=_TAGS)
    def create_nonce() -> Response:
        """Get a nonce for a key proof (OpenID4VCI 1.0 section 7)."""
        return jsonify(c_nonce=issuance.new_nonce())

    @app.post("/credential", responses=_OBJECT, security=[{"access_token": []}], tags=_TAGS)
    def issue_credential() -> Response:
        """Get the credential (OpenID4VCI 1.0 section 8)."""
        token = _bearer_token()
        issuance.check_token(token)
        if request.mimetype != "application/json":
            raise ProtocolError("invalid_credential_request", "send JSON (application/json)")
        try:
            wanted = parse_strict_json_object(request.get_data())
        except CredentialFormatError as error:
            raise ProtocolError("invalid_credential_request", f"the body: {error}") from None
        return jsonify(credentials=[{"credential": issuance.issue(token, wanted).credential}])


def add_account_routes(
    app: OpenAPI, *, accounts: Accounts, ledger_id: str, issuer_account: str
) -> None:
    """Add the endpoint where wallets get their account.

    Args:
        app: The application.
        accounts: Makes them.
        ledger_id: The ledger's id.
        issuer_account: The issuer's account.
    """

    @app.post("/accounts", responses={201: AccountMade}, tags=_TAGS)
    def create_account(body: NewAccount) -> tuple[Response, int]:
        """Make a holder's account on the ledger."""
        accounts.register(
            AccountRequest(
                enrolment_code=body.enrolment_code,
                account_id=body.account_id,
                public_key=body.public_key,
                proof=body.proof,
            )
        )
        made = AccountMade(
            account_id=body.account_id, ledger_id=ledger_id, issuer_account=issuer_account
        )
        return jsonify(made.model_dump()), 201


def _read_form() -> dict[str, str]:
    if request.mimetype != _FORM:
        raise ProtocolError("invalid_request", f"send a form ({_FORM})")
    form = request.form.to_dict(flat=False)
    if any(len(values) != 1 for values in form.values()):
        raise ProtocolError("invalid_request", "a parameter stands there twice")
    return {name: values[0] for name, values in form.items()}


def _redeem(form: dict[str, str], offers: Offers, renewals: Renewals) -> AccessToken:
    match form.get("grant_type"):
        case None:
            raise ProtocolError("invalid_request", "grant_type is missing")
        case grant_type if grant_type == PRE_AUTHORIZED_CODE:
            return offers.redeem(*_read_code(form))
        case grant_type if grant_type == JWT_BEARER:
            return renewals.redeem(*_read_assertion(form))
        case _:
            raise ProtocolError(
                "unsupported_grant_type",
                f"this issuer has only {PRE_AUTHORIZED_CODE} and {JWT_BEARER}",
            )


def _read_code(form: dict[str, str]) -> tuple[str, str]:
    """Return the pre-authorized code and the transaction code of a token request."""
    code, tx_code = form.get("pre-authorized_code"), form.get("tx_code")
    if not code or len(code) > MAX_CODE_CHARS:
        raise ProtocolError("invalid_request", "pre-authorized_code is missing or too long")
    if not tx_code or len(tx_code) > _MAX_TX_CODE_CHARS:
        raise ProtocolError(
            "invalid_request", "tx_code is missing or too long; type the six digits"
        )
    return code, tx_code


def _read_assertion(form: dict[str, str]) -> tuple[str, str]:
    """Return the assertion and the credential to issue anew of a token request."""
    assertion, credential = form.get("assertion"), form.get(REPLACED_CREDENTIAL)
    if not assertion or not credential:
        raise ProtocolError("invalid_request", f"assertion or {REPLACED_CREDENTIAL} is missing")
    return assertion, credential


def _bearer_token() -> str:
    credentials = request.authorization
    if credentials is None or credentials.type != "bearer" or not credentials.token:
        raise ProtocolError("missing_token", "Authorization: Bearer is missing", status=401)
    return credentials.token


def _published(fields: JsonObject) -> Response:
    response = jsonify(fields)
    response.headers["Cache-Control"] = _METADATA_AGE
    return response
