"""What a wallet states of a deposit, signed by the recovery card's key, the same for every agent.

On a new phone the card alone tells which statement is genuine: no agent, and no set of agents, can
put other commitments, keys or terms in its place. A later statement has a larger epoch.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
    thumbprint,
)
from client_sdk.errors import ClientError, EscrowFormatError, GroupFormatError
from client_sdk.escrow.agent_set import AgentSet, agent_set
from client_sdk.sealing.vault import KdfProfile
from client_sdk.strict_json import JsonFields
from client_sdk.threshold_oprf.ristretto255 import Element, decode_element

STATEMENT_TYP: Final = "tegata-deposit+jwt"
HANDLE_CHARS: Final = 32
_WHAT: Final = "the deposit statement"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositStatement:
    """What holds for every agent's part of one deposit.

    Attributes:
        handle: Whose deposit: the name of the recovery card, 32 hex digits.
        epoch: When it was made, in milliseconds since 1970, UTC: the larger one is the newer.
        agents: The agents, whose indices are those of the shares.
        commitments: The public commitments of the OPRF key; as many as the threshold.
        kdf: What one guess costs beyond the agents' evaluations.
        owner_key: Thumbprint of the key that reads and updates the backup; the wallet keeps it.
        success_key: Thumbprint of the key that only the right password gives; nobody keeps it.
        account: The holder's ledger account; None for a wallet that has none.
        approving_issuer: The account of the issuer that may vouch for the holder at its counter.
        portrait_commitment: What a face attestation must name.
    """

    handle: str
    epoch: int
    agents: AgentSet
    commitments: tuple[Element, ...]
    kdf: KdfProfile
    owner_key: str
    success_key: str
    account: str | None = None
    approving_issuer: str | None = None
    portrait_commitment: str | None = None

    def __post_init__(self) -> None:
        if len(self.commitments) != self.agents.threshold:
            raise EscrowFormatError(f"{_WHAT}: as many commitments as the threshold are expected")

    def sign(self, card_key: Key) -> str:
        """Return the statement as a JWT that the card's key signs and its header names."""
        header: JsonObject = {"typ": STATEMENT_TYP, "jwk": export_public_jwk(card_key)}
        claims: JsonObject = {
            "handle": self.handle,
            "epoch": self.epoch,
            "threshold": self.agents.threshold,
            "agent_keys": list(self.agents.keys),
            "commitments": [encode_base64url(element) for element in self.commitments],
            "kdf_passes": self.kdf.passes,
            "kdf_memory_kib": self.kdf.memory_kib,
            "owner_key": self.owner_key,
            "success_key": self.success_key,
            "account": self.account,
            "approving_issuer": self.approving_issuer,
            "portrait_commitment": self.portrait_commitment,
        }
        return sign_compact(header, claims, card_key)


def handle_of(card_key: str) -> str:
    """Return the handle that belongs to a card's key, so that nobody else can take it.

    Args:
        card_key: The thumbprint of the card's key.
    """
    return hashlib.sha256(b"tegata recovery handle v1:" + card_key.encode()).hexdigest()[
        :HANDLE_CHARS
    ]


def verify_statement(token: str, *, expected_handle: str) -> DepositStatement:
    """Return a statement, now known to be signed by the card of a handle.

    Raises:
        EscrowFormatError: It is not well formed, of another handle, or signed by another key.
    """
    try:
        unverified = parse_compact(token)
        key = parse_public_jwk(unverified.unverified_header.get("jwk"))
        _, claims = unverified.verify(key=key, expected_typ=STATEMENT_TYP)
        statement = _parse(claims)
    except ClientError as error:
        raise EscrowFormatError(f"{_WHAT}: {error}") from None
    if not statement.handle == handle_of(thumbprint(key)) == expected_handle:
        raise EscrowFormatError(f"{_WHAT} is of another recovery card")
    return statement


def _parse(claims: JsonObject) -> DepositStatement:
    fields = JsonFields(claims, what=_WHAT, error=EscrowFormatError)
    return DepositStatement(
        handle=fields.text("handle"),
        epoch=fields.whole("epoch"),
        agents=agent_set(fields.whole("threshold"), fields.texts("agent_keys")),
        commitments=_elements(fields.data_list("commitments")),
        kdf=KdfProfile(
            passes=fields.whole("kdf_passes"), memory_kib=fields.whole("kdf_memory_kib")
        ),
        owner_key=fields.text("owner_key"),
        success_key=fields.text("success_key"),
        account=fields.optional_text("account"),
        approving_issuer=fields.optional_text("approving_issuer"),
        portrait_commitment=fields.optional_text("portrait_commitment"),
    )


def _elements(items: Sequence[bytes]) -> tuple[Element, ...]:
    try:
        return tuple(decode_element(item) for item in items)
    except GroupFormatError as error:
        raise EscrowFormatError(f"commitments: {error}") from None
