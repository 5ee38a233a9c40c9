"""The story: a resident shows the address, and nothing else, to one ward office."""

from client_sdk.wallet import Wallet
from node.cli.demo.agents import EscrowAgents
from node.cli.demo.cast import Cast
from node.cli.demo.chapters import (
    attacks,
    beginning,
    face_test,
    lost_phone,
    one_attribute,
    over_asking,
    revocation,
    standing_grant,
)


def tell(cast: Cast) -> None:
    """Play all chapters, one after the other."""
    beginning.genesis(cast)
    with Wallet.create(
        cast.wallet_file, cast.passphrase, trust_anchors=cast.town.trust_anchors
    ) as wallet:
        beginning.enrol(cast, wallet)
        beginning.issue(cast, wallet)
        one_attribute.show_address(cast, wallet)
        over_asking.ask_too_much(cast, wallet)
        standing_grant.grant_for_a_year(cast, wallet)
        face_test.have_face_tested(cast, wallet)
        attacks.attack(cast)
        with (
            EscrowAgents(cast.town) as agents,
            lost_phone.lose_phone(cast, wallet, agents) as found,
        ):
            revocation.revoke(cast, found)
    cast.stage.end()
