"""A presentation world whose credential stands in a batch and in a status list."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from support.presentation_world import ISSUER, NOW_MS, World

from chaincode.encoding import JsonObject
from chaincode.records import BatchRecord, StatusListRecord
from client_sdk.credentials.jose import Key, thumbprint
from client_sdk.credentials.sd_jwt_vc import anchor_hash
from client_sdk.credentials.token_status_list import (
    STATUS_LIST_MEDIA_TYPE,
    StatusList,
    StatusReference,
    sign_status_list,
)
from client_sdk.errors import TransportError
from client_sdk.http.client import HttpAnswer
from client_sdk.ledger.batches import Inclusion, build_batch
from client_sdk.openid4vp.grant_offer import GrantProof
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.verification.status_lists import StatusLists

LIST_ID, BATCH_ID, URI = "1" * 32, "2" * 32, "https://issuer.example/status-lists/1"
INDEX, SIZE = 417, 1024


@dataclass
class StatusWorld(World):
    """A world whose issuer publishes a list; `answer` is what its server says."""

    answer: HttpAnswer | None = None
    fetched: int = 0
    before_fetch: Callable[[], None] = lambda: None
    statuses: StatusList = field(default_factory=lambda: StatusList.of_size(SIZE, bits=2))
    version: int = 0
    inclusion: Inclusion = field(init=False)

    def __post_init__(self) -> None:
        self.status_lists = StatusLists(self.fetch, now_ms=lambda: self.now_ms)
        super().__post_init__()
        self.publish()
        self.credential = self.issue_member()

    def fetch(self, url: str, *, accept: str) -> HttpAnswer:
        assert (url, accept) == (URI, STATUS_LIST_MEDIA_TYPE)
        self.fetched += 1
        self.before_fetch()
        if self.answer is None:
            raise TransportError("the issuer cannot be reached")
        return self.answer

    def serve(self, **changes: Any) -> None:
        """Publish the list as it is over HTTP, but for `changes`."""
        now_s = self.now_ms // 1000
        fields: dict[str, Any] = {
            "uri": URI,
            "issuer_key": self.issuer_key,
            "issued_at": now_s,
            "expires_at": now_s + 3600,
            "ttl_s": 300,
            "header": {"kid": thumbprint(self.issuer_key)},
            **changes,
        }
        token = sign_status_list(self.statuses, **fields)
        self.answer = HttpAnswer(status=200, media_type=STATUS_LIST_MEDIA_TYPE, body=token.encode())

    def anchor_list(self, **changes: Any) -> None:
        """Write the list's next version to the ledger."""
        self.version += 1
        fields = {
            "uri": URI,
            "bits": 2,
            "digest": self.statuses.digest(),
            "version": self.version,
            "issuer_record": self.registry_id,
            **changes,
        }
        self.ledger.put(ISSUER, LIST_ID, StatusListRecord(**fields))

    def publish(self) -> None:
        self.serve()
        self.anchor_list()

    def set_status(self, status: int) -> None:
        self.statuses[INDEX] = status
        self.publish()

    def issue_member(
        self,
        *,
        place: "JsonObject | None" = None,
        claims: "JsonObject | None" = None,
        holder_key: Key | None = None,
    ) -> str:
        """Issue a credential and anchor it among others."""
        reference = StatusReference(index=INDEX, uri=URI)
        credential = self.issue(
            place={"status": LIST_ID, **(place or {})},
            claims={"status": reference.to_claim(), **(claims or {})},
            anchored=False,
            holder_key=holder_key,
        )
        self.anchor_batch(credential)
        return credential

    def anchor_batch(self, credential: str, **changes: Any) -> None:
        others = [bytes([number]) * 32 for number in range(9)]
        hashes = [*others, anchor_hash(credential.partition("~")[0])]
        root, inclusions = build_batch(BATCH_ID, hashes)
        self.inclusion = inclusions[-1]
        fields = {
            "root": root,
            "count": len(hashes),
            "issuer_record": self.registry_id,
            "status_list": LIST_ID,
            "expires_at_ms": NOW_MS + 86_400_000,
            **changes,
        }
        self.ledger.put(ISSUER, BATCH_ID, BatchRecord(**fields))

    def present(
        self, request: PresentationRequest, proof: GrantProof | None = None, **changes: Any
    ) -> str:
        proof = replace(proof or self.grant(request), inclusion=self.inclusion)
        claims = proof.to_claims(request.transaction_data)
        if "inclusion" in changes:
            tegata = claims["tegata"]
            assert isinstance(tegata, dict)
            tegata["inclusion"] = changes.pop("inclusion")
        return super().present(request, proof, extra_claims=claims, **changes)
