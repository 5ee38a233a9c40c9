"""A verifier of its own making: it signs whatever requests a test wants, and keeps the answers."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

from support.http_stand import HttpStand, Received, Reply

from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.ledger.grants import new_salt
from client_sdk.openid4vp.access_certificate import (
    AccessIdentity,
    certify_verifier,
    create_access_authority,
)
from client_sdk.openid4vp.dcql import build_query
from client_sdk.openid4vp.dcql_query import DcqlQuery
from client_sdk.openid4vp.grant_offer import GrantOffer, encode_grant_offer
from client_sdk.openid4vp.request_link import RequestLink, build_link
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.signed_request import (
    REQUEST_MEDIA_TYPE,
    sign_request,
)


class VerifierStand:
    """The verifier and its server. Use it as a context.

    Attributes:
        server: The server; `answers` are the forms that it was sent.
        reply: What it answers to a form.
        request_to_post: What it gives for a request, by its object and the form of who fetches it.
    """

    def __init__(
        self, *, ledger: str, gateway: str = "gateway_1@gateway", now_ms: int | None = None
    ) -> None:
        """Make a verifier whom no wallet trusts.

        Args:
            ledger: The ledger's id, for the grants it asks for.
            gateway: The account that the grants name.
            now_ms: Its clock; the machine's where it is left out.
        """
        self.now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        self.identity = make_identity(self.now_ms)
        self.reply = Reply(body=b"{}")
        self.request_type = REQUEST_MEDIA_TYPE
        self.request_to_post: Callable[[bytes, dict[str, str]], bytes] = lambda token, _form: token
        self._ledger = ledger
        self._gateway = gateway
        self._requests: dict[str, bytes] = {}
        self.server = HttpStand(self._answer)

    @property
    def answers(self) -> list[dict[str, str]]:
        """The answers that wallets sent, in order."""
        return [
            request.form
            for request in self.server.received
            if request.method == "POST" and request.path not in self._requests
        ]

    def ask(
        self,
        *attributes: str,
        query: DcqlQuery | None = None,
        offer: GrantOffer | None = None,
        with_grant: bool = True,
        **changes: Any,
    ) -> str:
        """Return the link of a new request.

        Args:
            attributes: What it asks for.
            query: Asked instead of a query for the attributes of the resident's credential.
            offer: The grant, instead of one for the attributes.
            with_grant: Whether it asks for a grant at all.
            changes: Other fields of the request.
        """
        names = attributes or ("address",)
        offer = offer or self.offer(*names)
        now_s = self.now_ms // 1000
        fields: dict[str, Any] = {
            "client_id": self.identity.client_id,
            "response_uri": f"{self.server.url}/responses",
            "nonce": new_salt(),
            "state": new_salt(),
            "query": query
            or build_query(query_id="resident", vct=RESIDENT_CREDENTIAL_TYPE, attributes=names),
            "transaction_data": (encode_grant_offer(offer),) if with_grant else (),
            "issued_at": now_s,
            "expires_at": now_s + 300,
            **changes,
        }
        token = sign_request(PresentationRequest(**fields), identity=self.identity)
        path = f"/requests/{len(self._requests)}"
        self._requests[path] = token.encode()
        return self.link(f"{self.server.url}{path}")

    def link(self, request_uri: str) -> str:
        """Return a link to a request at an address."""
        return build_link(RequestLink(client_id=self.identity.client_id, request_uri=request_uri))

    def offer(self, *attributes: str, **changes: Any) -> GrantOffer:
        """Return the offer of a grant."""
        offer = GrantOffer(
            query_id="resident",
            verifier=self.identity.client_id,
            verifier_name=self.identity.name,
            attributes=tuple((name,) for name in sorted(attributes)),
            purpose="To see what happens",
            expires_at_ms=self.now_ms + 600_000,
            uses=1,
            gateway=self._gateway,
            ledger=self._ledger,
        )
        return replace(offer, **changes)

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.__exit__(*raised)

    def _answer(self, request: Received) -> Reply:
        token = self._requests.get(request.path)
        if request.method == "POST" and token is None:
            return self.reply
        if token is None:
            return Reply(status=404)
        if request.method == "POST":
            token = self.request_to_post(token, request.form)
        return Reply(body=token, headers={"Content-Type": self.request_type})


def make_identity(now_ms: int) -> AccessIdentity:
    """Return a verifier's key and certificate, by an authority of its own."""
    now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    return certify_verifier(
        create_access_authority(name="Nobody's authority", now=now),
        name="Nobody in Particular",
        url="https://nobody.example",
        host="nobody.example",
        now=now,
        days=1,
    )
