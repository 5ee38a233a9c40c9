"""The My Number card on the reader of the wallet's computer: it signs for an issuer, once."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, TypeAlias

from client_sdk.card.card_proof import CardProof, prove_card
from client_sdk.card.my_number_card import MyNumberCard
from client_sdk.card.smart_card import CardTransport
from client_sdk.openid4vci.token_client import CardProver
from node.wallet.jobs import Job
from node.web.languages import gettext_noop

CardReader: TypeAlias = Callable[[], AbstractContextManager[CardTransport]]
"""Waits for a card, and gives the way to it."""
_LAY_IT: Final = gettext_noop("Lay your My Number card on the reader of this computer.")
_SIGNED: Final = gettext_noop("The card has signed. The credential is fetched and checked.")


def card_prover(reader: CardReader, password: str, job: Job) -> CardProver:
    """Return what lets the card sign an issuer's nonce; the job tells when it is to be laid down.

    Args:
        reader: The computer's.
        password: Of the card's signing key. It goes to the card, and nowhere else.
        job: What the credential is fetched by.
    """

    def prove(audience: str, nonce: str) -> CardProof:
        job.begin(_LAY_IT)
        with reader() as transport:
            proof = prove_card(
                MyNumberCard(transport), password=password, audience=audience, nonce=nonce
            )
        job.begin(_SIGNED)
        return proof

    return prove
