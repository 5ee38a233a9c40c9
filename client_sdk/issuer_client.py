"""An operator's client of its issuer service: enrolment codes, offers, revocation."""

import base64
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import IssuerRefusedError, TransportError
from client_sdk.http_client import HttpAnswer, HttpClient
from client_sdk.resident import ResidentAttributes

PAGE: Final = 500
StateChange = Literal["revoke", "suspend", "reinstate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeOffer:
    """An offer to one person.

    Attributes:
        link: Opens the wallet: show it as a QR code.
        tx_code: Six digits, to be told separately.
        expires_at: When it ends, RFC 3339.
    """

    link: str = field(repr=False)
    tx_code: str = field(repr=False)
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCredential:
    """A credential that was issued; what it says is not kept.

    Attributes:
        record_id: Its id on the ledger, 32 hex digits.
        state: `active`, `suspended` or `revoked`.
        expires_at: RFC 3339.
    """

    record_id: str
    state: str
    expires_at: str


class IssuerClient:
    """An operator's connection to its issuer service."""

    def __init__(self, url: str, operator_token: str, *, timeout_s: float = 15) -> None:
        """Prepare a connection.

        Args:
            url: The service's public address.
            operator_token: What `tegata issuer init` gave the operator.
            timeout_s: How long one call may wait, in seconds.
        """
        self._url = url.rstrip("/")
        self._token = operator_token
        self._http = HttpClient(timeout_s=timeout_s)

    def enrol(self) -> str:
        """Return a new code with which a wallet gets one ledger account.

        Raises:
            IssuerRefusedError: The token is not the operator's.
            TransportError: The service cannot be reached.
        """
        return _text(self._post("/enrolments", {}, expected_status=201), "code")

    def offer(self, attributes: ResidentAttributes) -> MadeOffer:
        """Offer a person a credential.

        Raises:
            IssuerRefusedError: An attribute is not acceptable, or the token is not the operator's.
            TransportError: The service cannot be reached.
        """
        fields: JsonObject = {
            "name": attributes.name,
            "address": attributes.address,
            "municipality": attributes.municipality,
            "birth_date": attributes.birth_date.isoformat(),
            "sex": attributes.sex,
        }
        if attributes.portrait is not None:
            fields["portrait"] = base64.b64encode(attributes.portrait).decode("ascii")
        made = self._post("/offers", {"attributes": fields}, expected_status=201)
        return MadeOffer(
            link=_text(made, "link"),
            tx_code=_text(made, "tx_code"),
            expires_at=_text(made, "expires_at"),
        )

    def change_state(self, record_id: str, change: StateChange) -> str:
        """Revoke, suspend or reinstate a credential; return its new state.

        Raises:
            IssuerRefusedError: There is no such credential, or its state does not allow it.
            TransportError: The service cannot be reached.
        """
        answer = self._post(f"/credentials/{record_id}/{change}", {}, expected_status=200)
        return _text(answer, "state")

    def credentials(self) -> list[ListedCredential]:
        """List all credentials that were issued, oldest first.

        Raises:
            IssuerRefusedError: The token is not the operator's.
            TransportError: The service cannot be reached.
        """
        listed: list[ListedCredential] = []
        after: JsonValue = 0
        while True:
            url = f"{self._url}/credentials?after={after}&limit={PAGE}"
            content = _content(self._http.get(url, bearer=self._token), expected_status=200)
            page = content.get("credentials")
            rows = [row for row in page if isinstance(row, dict)] if isinstance(page, list) else []
            listed += [
                ListedCredential(
                    record_id=_text(row, "record"),
                    state=_text(row, "state"),
                    expires_at=_text(row, "expires_at"),
                )
                for row in rows
            ]
            if len(rows) < PAGE:
                return listed
            after = rows[-1].get("number")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _post(self, path: str, body: JsonObject, *, expected_status: int) -> JsonObject:
        answer = self._http.post_json(f"{self._url}{path}", body, bearer=self._token)
        return _content(answer, expected_status=expected_status)


def _content(answer: HttpAnswer, *, expected_status: int) -> JsonObject:
    content = answer.json()
    if answer.status != expected_status:
        title, detail = content.get("title", ""), content.get("detail", "")
        raise IssuerRefusedError(
            f"the issuer refused (HTTP {answer.status}): {title}. {detail}",
            code=str(content.get("code", "")),
        )
    return content


def _text(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise TransportError(f"the issuer's answer has no {name}")
    return value
