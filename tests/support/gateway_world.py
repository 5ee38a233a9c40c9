"""A gateway with two verifiers, over the small world of presentations."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from support.logins import PASSWORD_HASH
from support.presentation_world import GATEWAY, LEDGER_ID, World, make_identity

from client_sdk.did.resolution import DidJwk, DidResolver
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vp.request_link import RequestLink, parse_link
from client_sdk.openid4vp.response import build_response
from client_sdk.openid4vp.signed_request import VerifiedRequest, verify_request
from node.config import load_config
from node.gateway.api_keys import Scope
from node.gateway.app import build_events, build_presentations, build_waci, create_app
from node.gateway.config import GatewayConfig
from node.gateway.gateway_store import GatewayStore


def write_config(
    folder: Path,
    world: World,
    *,
    prefix: str = "x509_hash",
    verifier_changes: dict[str, Any] | None = None,
    logins: dict[str, str] | None = None,
    tables: dict[str, list[dict[str, Any]]] | None = None,
    **changes: Any,
) -> Path:
    """Write gateway.toml, certificates and keys into a folder; return the file.

    Args:
        folder: Where.
        world: The city's identity is its.
        prefix: The client identifier prefix of the city.
        verifier_changes: Other settings of the city.
        logins: Who may work at the verifier's page: names, and for whom they work.
        tables: Tables to add, each several times.
        changes: Other settings of the gateway.
    """
    _, bank = make_identity("Minato Bank")
    sections = []
    for name, identity in (("city", world.identity), ("bank", bank)):
        (folder / f"{name}.crt").write_bytes(identity.encode_chain())
        (folder / f"{name}.key").write_bytes(identity.encode_key())
        kind = prefix if name == "city" else "x509_hash"
        settings = ["[[verifiers]]", f'id = "{name}"', f'client_id_prefix = "{kind}"']
        if kind.startswith("x509"):
            settings.append(f'certificate_chain_file = "{name}.crt"')
        if kind != "redirect_uri":
            settings.append(f'private_key_file = "{name}.key"')
        sections.append("\n".join([*settings, ""]))
    sections[0] += "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in (verifier_changes or {}).items()
    )
    values = {
        "public_url": "http://127.0.0.1:8080/",
        "database_url": f"sqlite:///{folder / 'gateway.db'}",
        **changes,
    }
    # A number or truth value of TOML is written as JSON writes it, and so is a text.
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    ledger = (
        f'[ledger]\naddress = "127.0.0.1:1"\naccount = "{GATEWAY}"\n'
        f'private_key_file = "gateway.priv"\nledger_id = "{LEDGER_ID}"\n'
    )
    sections += [
        f'[[logins]]\nname = "{name}"\nverifier = "{verifier}"\npassword_hash = "{PASSWORD_HASH}"\n'
        for name, verifier in (logins or {}).items()
    ]
    for name, rows in (tables or {}).items():
        for row in rows:
            settings = [f"{key} = {json.dumps(value)}" for key, value in row.items()]
            sections.append("\n".join([f"[[{name}]]", *settings, ""]))
    path = folder / "gateway.toml"
    path.write_text("\n".join([*lines, ledger, *sections]), encoding="utf-8")
    return path


@dataclass
class GatewayWorld:
    """A gateway, its clock and its callers."""

    folder: Path
    world: World = field(default_factory=World)
    encrypt_responses: bool = True
    changes: dict[str, Any] = field(default_factory=dict)
    verifier_changes: dict[str, Any] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        changes = {"encrypt_responses": self.encrypt_responses, **self.changes}
        path = write_config(
            self.folder,
            self.world,
            verifier_changes=self.verifier_changes,
            logins=self.logins,
            tables=self.tables,
            **changes,
        )
        self.config = load_config(path, GatewayConfig)
        self.kept = GatewayStore(self.config.database_url)
        self.store, self.event_store = self.kept.requests, self.kept.events
        self.presentations = build_presentations(
            self.config,
            store=self.store,
            ledger=self.world.ledger,
            now_ms=lambda: self.world.now_ms,
        )
        self.keys = self.kept.keys
        self.events = build_events(self.config, store=self.event_store, seed=bytes(32))
        self.api_keys = {name: self.make_key(name) for name in ("city", "bank")}
        self.app = create_app(
            self.config,
            self.presentations,
            self.keys,
            waci=build_waci(self.config, self.presentations, AccountKey(bytes(32))),
            events=self.events,
            session_key=bytes(32),
            counts=self.kept.counts,
            now_ms=lambda: self.world.now_ms,
        )
        self.client: FlaskClient = self.app.test_client()

    def make_key(self, verifier: str, *scopes: Scope, expires_at_ms: int | None = None) -> str:
        """Make an API key; it opens everything where no scope is named."""
        _, token = self.keys.create(
            verifier,
            scopes=scopes or tuple(Scope),
            now_ms=self.world.now_ms,
            expires_at_ms=expires_at_ms,
        )
        return token

    def headers(self, verifier: str = "city") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_keys[verifier]}"}

    def create(self, *attributes: str, verifier: str = "city") -> dict[str, Any]:
        body = {"attributes": attributes or ("address",), "purpose": "Residence certificate"}
        response = self.client.post("/requests", json=body, headers=self.headers(verifier))
        assert response.status_code == 201, response.text
        value: dict[str, Any] = response.get_json()
        return value

    def read(self, request_id: str, verifier: str = "city") -> dict[str, Any]:
        response = self.client.get(f"/requests/{request_id}", headers=self.headers(verifier))
        assert response.status_code == 200, response.text
        value: dict[str, Any] = response.get_json()
        return value

    def fetch(self, created: dict[str, Any], *, haip: bool = False) -> VerifiedRequest:
        """Fetch a request as a wallet does, of the high assurance profile or not."""
        link = parse_link(created["link"])
        assert isinstance(link, RequestLink)
        path = link.request_uri.removeprefix(self.config.public_url)
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        assert response.content_type == "application/oauth-authz-req+jwt"
        return verify_request(
            response.text,
            expected_client_id=link.client_id,
            trust_anchors=self.world.authority.chain,
            now_s=self.world.now_ms // 1000,
            resolver=DidResolver({"jwk": DidJwk()}),
            haip=haip,
        )

    def answer(self, created: dict[str, Any], **changes: Any) -> dict[str, str]:
        """Return the form with which a genuine wallet answers."""
        request = self.fetch(created).request
        presentation = self.world.present(request, **changes)
        return build_response({"resident": [presentation]}, request=request)

    def close(self) -> None:
        self.events.feed.stop()
        self.kept.close()
