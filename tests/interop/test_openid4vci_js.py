"""Our issuer's service, as the JavaScript library `@openid4vc/openid4vci` sees it, over HTTP."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from support.issuer_world import RESIDENT, IssuerWorld
from support.odd_issuer import served

from client_sdk.credentials.sd_jwt_vc import parse_credential

SCRIPTS = Path(__file__).parent / "js"
NODE = shutil.which("node")


def test_peers_wallet_receives_a_batch_notifies_us_and_refreshes(tmp_path: Path) -> None:
    assert NODE, "Node.js is needed: see CONTRIBUTING.md"
    worlds: list[IssuerWorld] = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        return worlds[0].app(environ, start)

    with served(app) as url:
        world = IssuerWorld(tmp_path, public_url=url, refresh_days=30)
        worlds.append(world)
        made = world.make_offer()
        task = {"offer": made["link"], "tx_code": made["tx_code"], "now_ms": world.clock()}
        done = subprocess.run(
            [NODE, "openid4vci.mjs"],
            cwd=SCRIPTS,
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        received = json.loads(done.stdout)
        listed = world.operator("/credentials", method="GET").get_json()["credentials"]
        world.store.close()
    held = [parse_credential(text).unverified_claims for text in received["credentials"]]
    assert [claims["cnf"] for claims in held] == [{"jwk": jwk} for jwk in received["keys"]]
    assert {claims["address"] for claims in held} == {RESIDENT["address"]}
    assert [row["event"] for row in listed] == ["credential_accepted"] * 2 + [None]
    assert len(set(received["refresh_tokens"])) == 2
