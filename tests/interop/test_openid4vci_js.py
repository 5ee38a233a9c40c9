"""Our issuer's service, as the JavaScript library `@openid4vc/openid4vci` sees it, over HTTP."""

from pathlib import Path

from support.issuer_world import RESIDENT, IssuerWorld
from support.node_scripts import run_script
from support.resident_wallet import served_issuer

from client_sdk.credentials.sd_jwt_vc import parse_credential


def test_peers_wallet_receives_a_batch_notifies_us_and_refreshes(tmp_path: Path) -> None:
    with served_issuer(lambda url: IssuerWorld(tmp_path, public_url=url, refresh_days=30)) as world:
        made = world.make_offer()
        received = run_script(
            "openid4vci.mjs",
            {"offer": made["link"], "tx_code": made["tx_code"], "now_ms": world.clock()},
        )
        listed = world.operator("/credentials", method="GET").get_json()["credentials"]
    held = [parse_credential(text).unverified_claims for text in received["credentials"]]
    assert [claims["cnf"] for claims in held] == [{"jwk": jwk} for jwk in received["keys"]]
    assert {claims["address"] for claims in held} == {RESIDENT["address"]}
    assert [row["event"] for row in listed] == ["credential_accepted"] * 2 + [None]
    assert len(set(received["refresh_tokens"])) == 2
