"""What stands at the beginning, a wallet, and a credential in it."""

from client_sdk.wallet import Wallet
from node.cli.demo.cast import Cast


def genesis(cast: Cast) -> None:
    """What stands at the beginning."""
    cast.stage.chapter("Genesis")
    cast.stage.tell(
        "ledger",
        "One process, one genesis block. It knows roles and domains, and no person.",
        address=cast.town.torii,
        ledger=cast.ledger.ledger_id(),
    )
    cast.stage.tell("city", "The city's issuer is on the registry.", service=cast.town.issuer_url)
    cast.stage.tell(
        "ward office",
        "The ward office has a certificate and an API key at the gateway.",
        gateway=cast.town.gateway_url,
    )


def enrol(cast: Cast, wallet: Wallet) -> None:
    """A wallet, and an account under a random name."""
    cast.stage.chapter("A wallet")
    cast.stage.tell(
        "resident",
        "A new wallet makes its key; nobody else ever holds it.",
        public_key=wallet.public_key,
    )
    code = cast.city.enrol()
    account = wallet.register(cast.town.issuer_url, code, torii=cast.town.torii)
    cast.stage.tell("resident", "Its ledger account has a random name.", account=account.account_id)


def issue(cast: Cast, wallet: Wallet) -> None:
    """The city issues a credential, and anchors its salted hash."""
    cast.stage.chapter("A credential")
    offer = cast.city.offer(cast.resident)
    cast.stage.tell(
        "city",
        "At the counter, after looking at the card: an offer, and its code on paper.",
        offer=f"{offer.link[:72]}...",
    )
    cast.stage.qr_code(offer.link)
    credential = wallet.issuance.receive(offer.link, tx_code=offer.tx_code)
    cast.stage.tell(
        "resident",
        "The wallet proves its key and receives an SD-JWT VC (RFC 9901).",
        attributes=", ".join(wallet.attributes(credential.record_id)),
        anchored_as=f"tg_cred_{credential.record_id}",
    )
