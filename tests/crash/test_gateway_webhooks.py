"""A gateway dies between an event and its webhook: the next one tells it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from support.gateway_world import write_config
from support.http_stand import HttpStand, Received, Reply
from support.presentation_world import World

from client_sdk.http.signed_message import SignedMessage
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vp.request_link import RequestLink, parse_link
from client_sdk.verifier.webhooks import verify_webhook
from node.config import load_config
from node.gateway.api_keys import Scope
from node.gateway.config import GatewayConfig
from node.gateway.gateway_store import GatewayStore
from node.keypair import save_keypair

PROGRAM = """
import sys
from pathlib import Path
from node.config import load_config
from node.gateway.app import run_gateway
from node.gateway.config import GatewayConfig
from node.log import configure_logging
configure_logging()
run_gateway(load_config(Path(sys.argv[1]), GatewayConfig))
"""


@contextmanager
def gateway(config: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run a gateway; yield its address, and the process."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(config)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            ready = next(line for line in process.stderr if '"event": "ready"' in line)
            yield f"http://{json.loads(ready)['address']}", process
        finally:
            process.kill()


def test_an_event_outlives_the_process(tmp_path: Path) -> None:
    path = write_config(
        tmp_path, World(), listen="127.0.0.1:0", webhooks_to_this_machine=True, waci=False
    )
    save_keypair(AccountKey.generate(), tmp_path / "gateway.priv")
    store = GatewayStore(load_config(path, GatewayConfig).database_url)
    _, token = store.keys.create("city", scopes=tuple(Scope), now_ms=0)
    store.close()
    headers = {"Authorization": f"Bearer {token}"}
    heard = HttpStand(lambda _request: Reply(status=204, body=b""))
    # Bound, but nobody answers there yet: the first process cannot tell.
    with gateway(path) as (base, process):
        body = {"url": f"{heard.url}/tegata"}
        assert requests.put(f"{base}/webhook", json=body, headers=headers, timeout=60).ok
        question = {"attributes": ["address"], "purpose": "Residence certificate"}
        created = requests.post(f"{base}/requests", json=question, headers=headers, timeout=60)
        link = parse_link(created.json()["link"])
        assert isinstance(link, RequestLink)
        uri = link.request_uri
        fetched = requests.get(uri.replace("http://127.0.0.1:8080", base), timeout=60)
        assert fetched.status_code == 200
        process.send_signal(signal.SIGKILL)
        process.wait()
    with heard, gateway(path) as (base, _):
        received = _first(heard)
        key_set = requests.get(f"{base}/webhook-keys", timeout=60).json()
    message = SignedMessage("POST", f"{heard.url}/tegata", dict(received.headers), received.body)
    told = verify_webhook(message, key_set)
    assert (told.name, told.request_id) == ("fetched", created.json()["id"])


def _first(stand: HttpStand) -> Received:
    """Wait for the first webhook."""
    with stand.arrived:
        assert stand.arrived.wait_for(lambda: stand.received, 90)
    return stand.received[0]
