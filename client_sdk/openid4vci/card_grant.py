"""A My Number card's proof in a token request: with an offer, or as a grant of its own.

Our extension (ADR 0031): the grant type is one of RFC 6749 section 4.5, for issuers that take a
card without an offer from the counter.
"""

from typing import Final

from client_sdk.card.card_proof import CardProof
from client_sdk.strict_json import encode_json

MY_NUMBER_CARD: Final = "urn:tegata:params:oauth:grant-type:my-number-card"
CARD_PROOF: Final = "tegata_card_proof"
CARD_NONCE: Final = "tegata_card_nonce"
REVIEW_CODE: Final = "tegata_review_code"
"""In a token answer: what the holder shows at the counter, where it approves first."""


def card_parameters(proof: CardProof, nonce: str) -> dict[str, str]:
    """Return the parameters of a token request that hold a card's proof.

    Args:
        proof: Over the nonce.
        nonce: The issuer's `c_nonce`.
    """
    return {CARD_PROOF: encode_json(proof.to_json()).decode("utf-8"), CARD_NONCE: nonce}
