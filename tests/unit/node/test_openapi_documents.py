"""Schemathesis calls each service by its own OpenAPI document, over real HTTP, with every check."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from support.face_world import FaceWorld
from support.gateway_world import GatewayWorld
from support.grant_world import GrantWorld
from support.issuer_world import OPERATOR_TOKEN, IssuerWorld

from node.web.server import WebServer

CONFIG = Path(__file__).parents[2] / "support" / "schemathesis.toml"
SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
EXAMPLES = 2000 if os.environ.get("TEGATA_SOAK") else 10
FEW = ("--max-failures", "1", "--include-path", "/requests")
NO_LIMIT = "10000000/minute"


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an application; yield its address."""
    server = WebServer(app, "127.0.0.1:0")
    loop = threading.Thread(target=server.run)
    loop.start()
    try:
        yield f"http://{server.address}"
    finally:
        server.stop()
        loop.join(60)


def check_document(address: str, token: str, folder: Path, *options: str) -> None:
    """Fail where an answer is not as the document says, or an input makes the service fail."""
    done = subprocess.run(
        [
            str(SCHEMATHESIS),
            *("--config-file", str(CONFIG), "--no-color"),
            *("run", f"{address}/openapi.json", "--header", f"Authorization: Bearer {token}"),
            *("--checks", "all", "--max-examples", str(EXAMPLES)),
            *options,
            *([] if os.environ.get("TEGATA_SOAK") else ["--generation-deterministic"]),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout
    assert "generated" in done.stdout


def test_the_gateway_is_as_its_document_says(tmp_path: Path) -> None:
    rates = {"verifier_rate": NO_LIMIT, "wallet_rate": NO_LIMIT, "max_streams": 0}
    gateway = GatewayWorld(tmp_path, changes=rates)
    with served(gateway.app) as address:
        check_document(address, gateway.api_keys["city"], tmp_path)
    gateway.close()


def test_standing_grants_are_as_the_gateways_document_says(tmp_path: Path) -> None:
    rates = {"verifier_rate": NO_LIMIT, "wallet_rate": NO_LIMIT}
    world = GrantWorld(tmp_path, changes=rates)
    with served(world.app) as address:
        paths = ("--include-path-regex", "^/(standing|ledger)/")
        check_document(address, world.gateway.api_keys["city"], tmp_path, *paths)
    world.close()


def test_the_issuer_is_as_its_document_says(tmp_path: Path) -> None:
    issuer = IssuerWorld(tmp_path)
    with served(issuer.app) as address:
        check_document(address, OPERATOR_TOKEN, tmp_path)


def test_the_face_service_is_as_its_document_says(tmp_path: Path) -> None:
    face = FaceWorld(caller_rate=NO_LIMIT, test_rate=NO_LIMIT, most_open=10_000)
    with served(face.app) as address:
        # It makes no videos: test_face_video.py does.
        check_document(address, "no-token-of-a-test", tmp_path, "--exclude-path-regex", "/video$")


def test_a_document_that_lies_is_found_out(tmp_path: Path) -> None:
    gateway = GatewayWorld(tmp_path)
    document = gateway.app.api_doc  # type: ignore[attr-defined]
    document["components"]["schemas"]["RequestCreated"]["properties"]["id"] = {"type": "integer"}
    with served(gateway.app) as address, pytest.raises(AssertionError, match="ST1"):
        check_document(address, gateway.api_keys["city"], tmp_path, *FEW)
    gateway.close()
