"""What a signing process does: from residents to signed and sealed credentials. No input or output.

It gets the issuer's key once, at its start, and nothing of the store or the ledger.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chaincode.encoding import JsonObject
from chaincode.merkle import hash_leaf
from client_sdk.credentials.jose import parse_private_jwk
from client_sdk.credentials.resident import (
    RESIDENT_CREDENTIAL_TYPE,
    concealed_paths,
    resident_claims,
)
from client_sdk.issuer.anchor import ListPlace
from client_sdk.issuer.signing import IssuerSigner
from client_sdk.openid4vci.credential_offer import OfferReference, build_offer_link
from node.errors import StorageError
from node.issuer.attributes import day_in_japan
from node.issuer.credential_maker import HolderKey
from node.issuer.offers import TRANSACTION_CODE_TRIES
from node.issuer.one_time_secret import (
    code_of_offer,
    hash_secret,
    hash_transaction_code,
    new_secret,
    new_transaction_code,
    seal,
)
from node.issuer.prepared_credentials import PreparedCredential
from node.issuer.residents import Resident


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningTerms:
    """What a signing process needs.

    Attributes:
        ledger_id: The ledger's id, 64 hex digits.
        account: The issuer's account.
        public_url: The issuer's identifier.
        signing_jwk: The private JWK that credentials are signed with.
        certificates: What credentials carry as `x5c`; none for nothing.
    """

    ledger_id: str
    account: str
    public_url: str
    signing_jwk: JsonObject = field(repr=False)
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A signed credential, its offer, and its letter.

    Attributes:
        reference: The city's case number.
        link: The offer's link.
        tx_code: The transaction code.
        offer: The values of the offer's row, without its end.
        credential: The values of the credential's row, without batch and times.
    """

    reference: str
    link: str = field(repr=False)
    tx_code: str = field(repr=False)
    offer: dict[str, Any] = field(repr=False)
    credential: dict[str, Any]


class MemberSigner:
    """Makes members with the issuer's key."""

    def __init__(self, terms: SigningTerms) -> None:
        """Take the key."""
        self._public_url = terms.public_url
        self._signer = IssuerSigner(
            terms.ledger_id,
            account=terms.account,
            signing_key=parse_private_jwk(terms.signing_jwk),
            issuer_url=terms.public_url,
            certificates=terms.certificates,
            now_ms=lambda: self._now_ms,
        )
        self._now_ms = 0

    def sign(
        self,
        residents: Sequence[Resident],
        places: Sequence[ListPlace],
        expires_at_ms: int,
        now_ms: int,
    ) -> list[Member]:
        """Sign and seal a credential for each resident, in their order.

        Raises:
            CredentialFormatError: A birth date cannot be one.
        """
        self._now_ms = now_ms
        return [
            self._make(resident, place, expires_at_ms)
            for resident, place in zip(residents, places, strict=True)
        ]

    def _make(self, resident: Resident, place: ListPlace, expires_at_ms: int) -> Member:
        claims = resident_claims(resident.attributes, on=day_in_japan(self._now_ms))
        signed = self._signer.sign(
            claims,
            concealed=concealed_paths(claims),
            credential_type=RESIDENT_CREDENTIAL_TYPE,
            holder_key=resident.holder_key,
            holder_account=resident.account,
            expires_at_ms=expires_at_ms,
            list_place=place,
        )
        prepared = PreparedCredential(
            key=HolderKey(jwk=resident.holder_key, account=resident.account),
            credential=signed.credential,
        )
        offer_id, tx_code = new_secret(), new_transaction_code()
        code = code_of_offer(offer_id)
        reference = OfferReference(uri=f"{self._public_url}/offers/{offer_id}")
        return Member(
            reference=resident.reference,
            link=build_offer_link(reference),
            tx_code=tx_code,
            offer={
                "offer_hash": hash_secret(offer_id),
                "code_hash": hash_secret(code),
                "tx_code_hash": hash_transaction_code(tx_code, code),
                "tries_left": TRANSACTION_CODE_TRIES,
                "attributes": seal(prepared.encode(), code),
                "reference": resident.reference,
                "needs_card": False,
                "prepared_record": signed.record_id,
            },
            credential={
                "record_id": signed.record_id,
                "reference": resident.reference,
                "state": "active",
                "list_index": place.reference.index,
                "leaf": hash_leaf(signed.salted_hash),
            },
        )


_signers: Final[list[MemberSigner]] = []
"""The one signer of this process, where it is a signing one."""


def begin_worker(terms: SigningTerms) -> None:
    """Make this process a signing one."""
    # Whoever started the run is told of Ctrl-C, and stops this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _signers[:] = [MemberSigner(terms)]


def sign_members(
    residents: Sequence[Resident], places: Sequence[ListPlace], expires_at_ms: int, now_ms: int
) -> list[Member]:
    """Sign and seal a credential for each resident, in a signing process.

    Raises:
        CredentialFormatError: A birth date cannot be one.
        StorageError: The process was not begun.
    """
    if not _signers:
        raise StorageError("this process does not sign: begin_worker comes first")
    return _signers[0].sign(residents, places, expires_at_ms, now_ms)
