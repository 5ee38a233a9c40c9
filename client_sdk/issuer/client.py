"""An operator's client of its issuer service: enrolment codes, offers, revocation."""

import base64
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

from chaincode.encoding import JsonObject
from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.errors import TransportError
from client_sdk.http.service_client import ServiceClient, text_of

PAGE: Final = 500
StateChange = Literal["revoke", "suspend", "reinstate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeOffer:
    """An offer to one person.

    Attributes:
        link: Opens the wallet: show it as a QR code.
        tx_code: Six digits, to be told separately.
        expires_at: When it ends, RFC 3339.
        waci_link: The same as an invitation of WACI-DIDComm; None where the issuer has none.
        review_code: What it is approved by; None where it needs no review.
    """

    link: str = field(repr=False)
    tx_code: str = field(repr=False)
    expires_at: str
    waci_link: str | None = field(default=None, repr=False)
    review_code: str | None = field(default=None, repr=False)


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


class IssuerClient(ServiceClient):
    """An operator's connection to its issuer service."""

    def enrol(self) -> str:
        """Return a new code with which a wallet gets one ledger account.

        Raises:
            ServiceRefusedError: The token is not the operator's.
            TransportError: The service cannot be reached.
        """
        return text_of(self._post("/enrolments", {}, expected_status=201), "code")

    def offer(
        self,
        attributes: ResidentAttributes,
        *,
        reference: str | None = None,
        review: bool = False,
    ) -> MadeOffer:
        """Offer a person a credential.

        Args:
            attributes: What is attested.
            reference: Your own case number, to find the credentials by; no name.
            review: Whether it is issued only once somebody has approved it.

        Raises:
            ServiceRefusedError: An attribute is not acceptable, or the token is not the operator's.
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
        return self._offer({"attributes": fields, "review": review}, reference)

    def offer_to_card(
        self, *, portrait: bytes | None = None, reference: str | None = None
    ) -> MadeOffer:
        """Offer a credential to the holder of a My Number card, who proves the attributes by it.

        Args:
            portrait: JPEG or JPEG 2000, read from the card's face at the counter; None for none.
            reference: Your own case number, to find the credentials by; no name.

        Raises:
            ServiceRefusedError: This issuer takes no cards, or the token is not the operator's.
            TransportError: The service cannot be reached.
        """
        shown = None if portrait is None else base64.b64encode(portrait).decode("ascii")
        return self._offer({"card": {"portrait": shown}}, reference)

    def _offer(self, body: JsonObject, reference: str | None) -> MadeOffer:
        if reference is not None:
            body["reference"] = reference
        made = self._post("/offers", body, expected_status=201)
        return MadeOffer(
            link=text_of(made, "link"),
            tx_code=text_of(made, "tx_code"),
            expires_at=text_of(made, "expires_at"),
            review_code=None if made.get("review_code") is None else text_of(made, "review_code"),
            waci_link=None if made.get("waci_link") is None else text_of(made, "waci_link"),
        )

    def look_up_review(self, code: str) -> JsonObject:
        """Return what is to be attested under a review code, to compare it with papers.

        Raises:
            ServiceRefusedError: There is no such review, or the token is not the operator's.
            TransportError: The service cannot be reached.
        """
        return self._post("/reviews/look-up", {"code": code}, expected_status=200)

    def decide_review(self, code: str, *, approved: bool) -> str:
        """Approve or refuse that a credential is issued; return what the review came to.

        Raises:
            ServiceRefusedError: There is no such review, or it was decided otherwise.
            TransportError: The service cannot be reached.
        """
        decision = "approve" if approved else "refuse"
        answer = self._post(
            "/reviews/decide", {"code": code, "decision": decision}, expected_status=200
        )
        return text_of(answer, "state")

    def change_state(self, record_id: str, change: StateChange) -> str:
        """Revoke, suspend or reinstate a credential; return its new state.

        Raises:
            ServiceRefusedError: There is no such credential, or its state does not allow it.
            TransportError: The service cannot be reached.
        """
        answer = self._post(
            f"/credentials/{quote(record_id, safe='')}/{change}", {}, expected_status=200
        )
        return text_of(answer, "state")

    def approve_recovery(self, account: str, record_id: str, *, new_key: str, lost_key: str) -> str:
        """Approve a recovery of a holder who was seen in person; return it in words.

        Args:
            account: The holder's account.
            record_id: The recovery's id, as the new phone shows it.
            new_key: The key that comes, as the new phone shows it.
            lost_key: The key that goes.

        Raises:
            ServiceRefusedError: The account's guard does not name this issuer, or the recovery
                names other keys.
            TransportError: The service or its ledger cannot be reached.
        """
        fields: JsonObject = {
            "account": account,
            "recovery": record_id,
            "new_key": new_key,
            "lost_key": lost_key,
        }
        made = self._post("/approvals/recoveries", fields, expected_status=201)
        return text_of(made, "approved")

    def approve_change(self, account: str, command: str) -> str:
        """Approve a change of a holder who was seen in person; return it in words.

        Args:
            account: The holder's account.
            command: The Iroha command in base64url, as the holder's wallet shows it.

        Raises:
            ServiceRefusedError: The account's guard does not name this issuer, or it is no command.
            TransportError: The service or its ledger cannot be reached.
        """
        fields: JsonObject = {"account": account, "command": command}
        made = self._post("/approvals/changes", fields, expected_status=201)
        return text_of(made, "approved")

    def credentials(self, reference: str | None = None) -> list[ListedCredential]:
        """List all credentials that were issued, oldest first.

        Args:
            reference: Only those of this case number.

        Raises:
            ServiceRefusedError: The token is not the operator's.
            TransportError: The service cannot be reached.
        """
        listed: list[ListedCredential] = []
        only = "" if reference is None else f"&reference={quote(reference, safe='')}"
        after = 0
        while True:
            page = self._get(f"/credentials?after={after}&limit={PAGE}{only}").get("credentials")
            if not isinstance(page, list):
                raise TransportError("the service's answer has no credentials")
            rows = [row if isinstance(row, dict) else {} for row in page]
            listed += [
                ListedCredential(
                    record_id=text_of(row, "record"),
                    state=text_of(row, "state"),
                    expires_at=text_of(row, "expires_at"),
                )
                for row in rows
            ]
            if len(rows) < PAGE:
                return listed
            last = rows[-1].get("number")
            if not isinstance(last, int) or last <= after:
                raise TransportError("the service's answer does not lead to the next credentials")
            after = last
