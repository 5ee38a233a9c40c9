"""A small world for presentation tests: issuer, holder, verifier, and a ledger in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from chaincode.encoding import JsonObject, encode_base64url
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import (
    CredentialRecord,
    GrantRecord,
    IdentityRecord,
    IssuerRecord,
    decode_record,
    encode_record,
)
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    generate_key,
    parse_private_jwk,
    thumbprint,
)
from client_sdk.credentials.sd_jwt_vc import issue_credential, present_credential
from client_sdk.did.ledger_did import ledger_did
from client_sdk.errors import QueryFailedError, TransactionFailedError, TransportError
from client_sdk.formats import CredentialTerms, find_format
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.ledger.receipts import receipt_key
from client_sdk.openid4vp.access_certificate import (
    AccessIdentity,
    certify_verifier,
    create_access_authority,
)
from client_sdk.openid4vp.dcql import build_query
from client_sdk.openid4vp.grant_offer import (
    GrantOffer,
    GrantProof,
    encode_grant_offer,
    offers_for,
    parse_grant_offer,
)
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.verification.issuer_trust import IssuerTrust
from client_sdk.verification.status_lists import StatusLists
from client_sdk.verifier import Verifier

RESIDENT = "urn:tegata:credential:resident:1"
LEDGER_ID = "ab" * 32
ISSUER, HOLDER, GATEWAY = "issuer@tegata", "h4f2@tegata", "gateway@tegata"
RECEIPT_SECRET = bytes(32)
NOW_MS = 1_790_000_000_000
ATTRIBUTES: JsonObject = {
    "name": "Tanaka Aiko",
    "address": "1-1 Chiyoda, Tokyo",
    "birth_date": "1990-04-01",
}
_Record = TypeVar("_Record", bound=IdentityRecord)


class RecordTable:
    """Records and keys by account; a record is kept in its ledger form."""

    def __init__(self) -> None:
        self.details: dict[tuple[str, str], str] = {}
        self.keys: dict[str, frozenset[str]] = {}
        self.failure: Exception | None = None
        self.refusal: TransactionFailedError | None = None
        self.is_writable = True

    def put(self, account: str, record_id: str, record: IdentityRecord) -> None:
        self.details[account, record.key(record_id)] = encode_record(record)

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return a record; this table keeps no writers apart."""
        del writer
        self._fail()
        value = self.details.get((account_id, kind.key(record_id)))
        return None if value is None else decode_record(value, kind)

    def build_transaction(self, *commands: Command) -> Transaction:
        transaction = Transaction()
        transaction.payload.reduced_payload.commands.extend(commands)
        return transaction

    def sign_transaction(self, transaction: Transaction) -> None:
        """Leave it as it is: this table asks for no signature."""

    def send(self, transaction: Transaction) -> None:
        """Write what the transaction compares and sets, without the rules of the ledger."""
        self._fail()
        if not self.is_writable:
            raise TransportError("the node cannot be reached")
        if self.refusal is not None:
            raise self.refusal
        for command in transaction.payload.reduced_payload.commands:
            written = command.compare_and_set_account_detail
            self.details[written.account_id, written.key] = written.value

    def signatories(self, account_id: str) -> frozenset[str]:
        self._fail()
        if account_id not in self.keys:
            raise QueryFailedError("no such account", reason="NO_SIGNATORIES", code=0)
        return self.keys[account_id]

    def cut_off(self) -> None:
        self.failure = TransportError("the node cannot be reached")

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def key_of_account(account_key: AccountKey) -> Key:
    return parse_private_jwk(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": encode_base64url(account_key.raw_public_key),
            "d": encode_base64url(account_key.seed),
        }
    )


def make_identity(name: str = "Minato City Hall") -> tuple[AccessIdentity, AccessIdentity]:
    now = datetime.fromtimestamp(NOW_MS / 1000, tz=UTC)
    authority = create_access_authority(name="Access Authority", now=now)
    identity = certify_verifier(
        authority, name=name, url="https://minato.example", host="minato.example", now=now, days=90
    )
    return authority, identity


@dataclass
class World:
    """Everything that a genuine presentation needs; a test spoils one thing."""

    ledger: RecordTable = field(default_factory=RecordTable)
    now_ms: int = NOW_MS
    issuer_key: Key = field(default_factory=generate_key)
    holder: AccountKey = field(default_factory=AccountKey.generate)
    record_id: str = field(default_factory=new_record_id)
    registry_id: str = field(default_factory=new_record_id)
    status_lists: StatusLists | None = None
    issuer_trust: IssuerTrust | None = None

    def __post_init__(self) -> None:
        self.authority, self.identity = make_identity()
        self.ledger.keys[HOLDER] = frozenset({self.holder.public_key})
        self.register()
        self.credential = self.issue()

    @property
    def verifier(self) -> Verifier:
        return Verifier(
            self.ledger,
            LEDGER_ID,
            gateway=GATEWAY,
            status_lists=self.status_lists,
            issuer_trust=self.issuer_trust,
            now_ms=lambda: self.now_ms,
        )

    def register(self, **changes: Any) -> None:
        fields = {
            "issuer": ISSUER,
            "credential_types": (RESIDENT,),
            "keys": (export_public_jwk(self.issuer_key),),
            "state": "active",
            **changes,
        }
        self.ledger.put(REGISTRY_ACCOUNT, self.registry_id, IssuerRecord(**fields))

    def issue(
        self,
        *,
        vct: str = RESIDENT,
        issuer_key: Key | None = None,
        place: "JsonObject | None" = None,
        claims: "JsonObject | None" = None,
        anchored: bool = True,
        expires_at: int = NOW_MS // 1000 + 86_400,
        holder_key: Key | None = None,
        portrait: str | None = None,
        header: "JsonObject | None" = None,
    ) -> str:
        where: JsonObject = {
            "ledger": LEDGER_ID,
            "issuer": ISSUER,
            "record": self.record_id,
            "salt": new_salt(),
            "account": HOLDER,
            **(place or {}),
        }
        attributes = ATTRIBUTES if portrait is None else {**ATTRIBUTES, "portrait": portrait}
        credential = issue_credential(
            claims={**attributes, "tegata": where, **(claims or {})},
            concealed=[(name,) for name in attributes],
            vct=vct,
            issuer="https://issuer.example",
            issuer_key=issuer_key or self.issuer_key,
            issued_at=NOW_MS // 1000 - 60,
            expires_at=expires_at,
            holder_key=export_public_jwk(holder_key or key_of_account(self.holder)),
            header={"kid": thumbprint(self.issuer_key)} if header is None else header,
        )
        if anchored:
            self.anchor(credential)
        return credential

    def terms(self, **changes: Any) -> CredentialTerms:
        """Return what the issuer says of the holder, genuine but for `changes`, for any format."""
        place: JsonObject = {
            "ledger": LEDGER_ID,
            "issuer": ISSUER,
            "record": self.record_id,
            "salt": new_salt(),
            "account": HOLDER,
        }
        fields: dict[str, Any] = {
            "credential_type": RESIDENT,
            "attributes": ATTRIBUTES,
            "concealed": [(claim,) for claim in ATTRIBUTES],
            "more": {"tegata": place},
            "issuer_url": "https://issuer.example",
            "issuer_did": ledger_did(LEDGER_ID, ISSUER),
            "key_id": thumbprint(self.issuer_key),
            "holder_key": export_public_jwk(key_of_account(self.holder)),
            "issued_at": NOW_MS // 1000 - 60,
            "expires_at": NOW_MS // 1000 + 86_400,
            **changes,
        }
        return CredentialTerms(**fields)

    def anchor(self, credential: str, name: str = "dc+sd-jwt", **changes: Any) -> None:
        fields = {
            "salted_hash": find_format(name).anchored_hash(credential),
            "issuer_record": self.registry_id,
            "expires_at_ms": NOW_MS + 86_400_000,
            "state": "active",
            **changes,
        }
        self.ledger.put(ISSUER, self.record_id, CredentialRecord(**fields))

    def request(self, *attributes: str, **changes: Any) -> PresentationRequest:
        names = attributes or ("address",)
        offer = GrantOffer(
            query_id="resident",
            verifier=self.identity.client_id,
            verifier_name=self.identity.name,
            attributes=tuple((name,) for name in sorted(names)),
            purpose="Residence certificate",
            expires_at_ms=self.now_ms + 600_000,
            uses=1,
            gateway=GATEWAY,
            ledger=LEDGER_ID,
        )
        fields: dict[str, Any] = {
            "client_id": self.identity.client_id,
            "response_uri": "https://gateway.example/oid4vp/responses/1",
            "nonce": new_salt(),
            "state": new_salt(),
            "query": build_query(query_id="resident", vct=RESIDENT, attributes=names),
            "transaction_data": (encode_grant_offer(offer),),
            "issued_at": self.now_ms // 1000,
            "expires_at": self.now_ms // 1000 + 300,
            **changes,
        }
        return PresentationRequest(**fields)

    def grant(
        self,
        request: PresentationRequest,
        query_id: str | None = None,
        attributes: "tuple[tuple[str | int | None, ...], ...] | None" = None,
        **changes: Any,
    ) -> GrantProof:
        """Write the grant that a request asks for, and return the proof of it.

        Args:
            request: The request.
            query_id: For which credential query; the first where it is left out.
            attributes: The combination of claims that is granted; all where it is left out.
            changes: Other fields of the record.
        """
        offers = [parse_grant_offer(text) for text in request.transaction_data]
        offer = next(one for one in offers if query_id in (None, one.query_id))
        opening, grant_id = new_salt(), new_record_id()
        fields = {
            "commitment": offer.terms(self.record_id, attributes).commitment(opening),
            "gateway": offer.gateway,
            "expires_at_ms": offer.expires_at_ms,
            "uses": offer.uses,
            "state": "live",
            **changes,
        }
        self.ledger.put(HOLDER, grant_id, GrantRecord(**fields))
        return GrantProof(
            ledger=LEDGER_ID,
            account=HOLDER,
            grant=grant_id,
            receipt_key=receipt_key(RECEIPT_SECRET, grant_id).public_bytes,
            opening=opening,
        )

    def present(
        self,
        request: PresentationRequest,
        proof: GrantProof | None = None,
        query_id: str | None = None,
        **changes: Any,
    ) -> str:
        """Answer a credential query, the first by default, genuinely but for `changes`."""
        query = request.query.find(query_id or request.query.credentials[0].id)
        assert query is not None
        proof = proof or self.grant(request, query.id)
        fields: dict[str, Any] = {
            "paths": [claim.path for claim in query.claims],
            "holder_key": key_of_account(self.holder),
            "audience": request.client_id,
            "nonce": request.nonce,
            "issued_at": self.now_ms // 1000,
            "extra_claims": proof.to_claims(offers_for(request.transaction_data, query.id)),
            **changes,
        }
        return present_credential(fields.pop("credential", self.credential), **fields)
