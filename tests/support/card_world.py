"""A city's service that takes My Number cards, and what a card proves to it."""

from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from support.issuer_world import IssuerWorld
from support.virtual_card import LATER, PASSWORD, Authority, VirtualCard

from client_sdk.card.card_proof import prove_card
from client_sdk.card.my_number_card import MyNumberCard
from client_sdk.openid4vci.card_grant import card_parameters
from node.issuer.config import CardConfig


class CardWorld(IssuerWorld):
    """The service; an authority vouches for cards."""

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        *,
        self_service: Literal["off", "reviewed", "on"] = "off",
        reader: str | None = None,
        **settings: Any,
    ) -> None:
        self.authority = authority
        self.list_file = folder / "cards.crl"
        self.revoke()
        (folder / "cards.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
        card = CardConfig(
            authority_file=folder / "cards.pem",
            revocation_list_files=(self.list_file,),
            municipality="仙台市",
            addresses=("宮城県仙台市",),
            self_service=self_service,
            reader=reader,
        )
        super().__init__(folder, card=card, **settings)

    def revoke(self, *certificates: x509.Certificate) -> None:
        revocations = self.authority.revocation_list(*certificates, next_update=LATER)
        self.list_file.write_bytes(revocations.public_bytes(Encoding.DER))

    def prove(self, card: VirtualCard, sent: str | None = None, **changes: str) -> dict[str, str]:
        """Return what a wallet's token request holds of a card's proof."""
        nonce = sent or self.nonce()
        proof = prove_card(
            MyNumberCard(card),
            password=PASSWORD,
            **{"audience": self.config.public_url, "nonce": nonce, **changes},
        )
        return card_parameters(proof, nonce)
