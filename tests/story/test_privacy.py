"""Invariant 1: no attribute value, nor anything from which one can be guessed, reaches a ledger, a
log, a metric or a trace. The story has been told with canaries, through node, issuer, gateway and
escrow agents; here every file and every stored record is searched.
"""

import base64
import hashlib
import json
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from support.otlp_receiver import OtlpReceiver
from support.story_town import CANARIES, ToldStory
from support.wallet_stand import serve_wallet
from support.watching import watching

from chaincode.encoding import decode_base64url
from chaincode.ids import RECORD_ID
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import decode_record, parse_record_key
from chaincode.world_state import key_parts
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.wallet import Wallet
from node.gateway.gateway_store import GatewayStore
from node.ledger.block_store import BlockStore
from node.ledger.state_store import StateStore

# One worker tells the story, once.
pytestmark = pytest.mark.xdist_group("told")

GUESSABLE = {**CANARIES, "birth_date": "1987-06-05"}
YEAR_MS = 366 * 24 * 60 * 60 * 1000
HASHES = ("md5", "sha1", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b")
STATE_KINDS = {"account", "count", "detail", "domain", "grant", "role", "role_order", "peers"}
RECORD_FIELDS = {
    "tg_issuer_": {"issuer", "credential_types", "keys", "state"},
    "tg_cred_": {"salted_hash", "issuer_record", "expires_at_ms", "state"},
    "tg_seen_": {"salted_hash", "sealed"},
    "tg_batch_": {"root", "count", "issuer_record", "status_list", "expires_at_ms"},
    "tg_status_": {"uri", "bits", "digest", "version", "issuer_record"},
    "tg_grant_": {"commitment", "gateway", "expires_at_ms", "uses", "state"},
    "tg_guard": {"escrow", "issuer", "delay_ms", "state"},
    "tg_recover_": {"new_key", "lost_key", "opened_at_ms", "matures_at_ms"},
    "tg_recovery": {"item", "state", "until_ms", "firm"},
}
# What the ledger adds, so that no command holds it.
BLOCK_TIMES = {"opened_at_ms", "matures_at_ms"}
# Every command that the story sends, and every field that any of them has.
COMMAND_FIELDS = {
    "CreateAccount": {"account_name", "domain_id", "public_key"},
    "SetAccountDetail": {"account_id", "key", "value"},
    "CompareAndSetAccountDetail": {"account_id", "key", "value", "old_value", "check_empty"},
    "GrantPermission": {"account_id", "permission"},
    "AddSignatory": {"account_id", "public_key"},
    "RemoveSignatory": {"account_id", "public_key"},
}


class LedgerFiles:
    """A copy of a ledger's files, opened."""

    def __init__(self, ledger: Path, scratch: Path) -> None:
        copy = shutil.copytree(ledger / "data", scratch / "data")
        self._blocks = BlockStore(copy / "blocks")
        self._state = StateStore(copy / "state.sqlite", self._blocks)

    def blocks(self) -> Iterator[Block]:
        for _, _, block in self._blocks.recover(self._blocks.start):
            yield block

    def commands(self) -> Iterator[Command]:
        """Yield every command above the genesis: overwritten values are in these too."""
        for block in self.blocks():
            if block.block_v1.payload.height > 1:
                for transaction in block.block_v1.payload.transactions:
                    yield from transaction.payload.reduced_payload.commands

    def entries(self) -> list[tuple[bytes, bytes]]:
        with self._state.snapshot() as view:
            return list(view.scan(b""))

    def close(self) -> None:
        self._state.close()
        self._blocks.close()


@pytest.fixture(scope="module")
def ledger(told: ToldStory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerFiles]:
    files = LedgerFiles(told.town.ledger_folder, tmp_path_factory.mktemp("copy"))
    yield files
    files.close()


@pytest.fixture(scope="module")
def places(told: ToldStory, ledger: LedgerFiles, traces: OtlpReceiver) -> dict[str, bytes]:
    """All that outlives the story but the holder's own wallet and the gateway's answers.

    Every file of the ledger and of the agents, the issuer's database, every log, metric and trace,
    what was shown of the ledger, every decoded detail.
    """
    town = told.town
    folders = (town.ledger_folder, town.folder / "agents", town.folder / "issuer")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    found = {str(path): path.read_bytes() for path in [*paths, *town.logs]}
    for log in town.logs:
        found[f"metrics {log.stem}"] = read_metrics(log)
    found["traces"] = b"".join(traces.received)
    found["ledger view"] = json.dumps([entry.fields for entry in told.entries]).encode()
    for command in ledger.commands():
        body = getattr(command, str(command.WhichOneof("command")))
        if hasattr(body, "value"):
            found[f"decoded {body.key}"] = decode_base64url(body.value)
    return found


def read_metrics(log: Path) -> bytes:
    """Return what a service tells Prometheus: its log says where. The agents have ended by now."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    (address,) = [
        line.get("metrics") or line.get("metrics_address")
        for line in lines
        if line["event"] in {"ready", "ledger node ready"}
    ]
    if any(line["event"] == "stopped" for line in lines):
        return b""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        text: bytes = answer.read()
    return text


def forms(value: bytes) -> set[bytes]:
    """Return the texts under which bytes may be written down, at each alignment of base64."""
    written = {value, value.hex().encode(), value.hex().upper().encode()}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The first and last characters depend on what stands beside the value.
            written.add(encode(bytes(shift) + value)[4 if shift else 0 : -4])
    return written


def places_of(value: bytes, places: dict[str, bytes]) -> list[str]:
    return [place for place, data in places.items() if any(form in data for form in forms(value))]


def test_the_search_would_find_what_is_there(
    places: dict[str, bytes], told: ToldStory, wallet: Wallet
) -> None:
    account = wallet.account.account_id.encode()
    assert any(place.endswith("blocks") for place in places_of(account, places))
    assert any("state.sqlite" in place for place in places_of(account, places))
    (grant, *_) = wallet.grants.made
    commitment = grant.terms.commitment(grant.opening)
    assert places_of(commitment, places)
    watched = {"node", "issuer", "gateway", "post_office", "credit_union", "notary"}
    assert {log.stem for log in told.town.logs} == watched
    assert all(places[str(log)] for log in told.town.logs)
    for service in ("node", "issuer", "gateway"):
        assert b"tegata_" in places[f"metrics {service}"]
        assert f"tegata-{service}".encode() in places["traces"]
    assert b"tegata-escrow" in places["traces"]
    assert any(place.endswith("escrow.db") for place in places)


@pytest.mark.parametrize("name", GUESSABLE)
def test_no_attribute_value_is_stored_or_logged(name: str, places: dict[str, bytes]) -> None:
    value = GUESSABLE[name]
    assert len(value.encode()) >= 10
    for text in (value, json.dumps(value), value.encode("utf-16-le").decode("latin-1")):
        assert places_of(text.encode(), places) == []


@pytest.mark.parametrize("name", GUESSABLE)
@pytest.mark.parametrize("algorithm", HASHES)
def test_no_hash_without_salt_is_stored_or_logged(
    name: str, algorithm: str, places: dict[str, bytes]
) -> None:
    value = GUESSABLE[name]
    for text in (value, json.dumps(value), json.dumps(value, ensure_ascii=False), f"{name}{value}"):
        assert places_of(hashlib.new(algorithm, text.encode()).digest(), places) == []


def test_no_disclosure_nor_digest_nor_salt_is_stored_or_logged(
    wallet: Wallet, places: dict[str, bytes]
) -> None:
    (credential,) = wallet.credentials
    sd_jwt = parse_sd_jwt(credential.text)
    assert len(sd_jwt.disclosures) == 8
    for disclosure in sd_jwt.disclosures:
        secrets = (disclosure.encoded, disclosure.digest("sha-256"), disclosure.salt)
        for secret in secrets:
            assert places_of(secret.encode(), places) == []
            assert places_of(decode_base64url(secret), places) == []
    assert places_of(sd_jwt.issuer_jwt.rpartition(".")[2].encode(), places) == []


def test_no_grant_can_be_guessed(wallet: Wallet, places: dict[str, bytes]) -> None:
    for grant in wallet.grants.made:
        for text in (grant.opening, grant.terms.purpose, grant.terms.verifier, grant.verifier_name):
            assert places_of(text.encode(), places) == []
        assert places_of(grant.terms.credential.encode(), places) != []  # the city anchored it
        without_salt = {"verifier": grant.terms.verifier, "purpose": grant.terms.purpose}
        guess = hashlib.sha256(json.dumps(without_salt).encode()).digest()
        assert places_of(guess, places) == []


def test_every_command_and_field_on_the_chain_is_known(ledger: LedgerFiles) -> None:
    kinds = set()
    for command in ledger.commands():
        body = getattr(command, str(command.WhichOneof("command")))
        name = body.DESCRIPTOR.name
        kinds.add(name)
        assert {field.name for field, _ in body.ListFields()} <= COMMAND_FIELDS[name]
        if "key" in COMMAND_FIELDS[name]:
            kind, record_id = parse_record_key(body.key)
            assert kind.single or kind.id_form.fullmatch(record_id)
            fields = decode_record(body.value, kind).to_fields()
            assert fields.keys() == RECORD_FIELDS[kind.prefix] - BLOCK_TIMES
    assert kinds == set(COMMAND_FIELDS)


def test_every_entry_of_the_state_is_known(ledger: LedgerFiles) -> None:
    records = 0
    for key, value in ledger.entries():
        assert key.split(b"\x00")[0].decode() in STATE_KINDS
        assert value.isdigit() or not key.startswith(b"count")
        if key.startswith(b"detail"):
            _, _, name = key_parts(key)
            kind, _ = parse_record_key(name)
            fields = decode_record(value.decode(), kind).to_fields()
            assert fields.keys() == RECORD_FIELDS[kind.prefix]
            records += 1
    assert records >= 3


def is_public_jwk(jwk: object) -> bool:
    return isinstance(jwk, dict) and jwk.keys() == {"crv", "kty", "x"} and is_digest(jwk["x"])


def is_digest(text: object) -> bool:
    return len(decode_base64url(str(text))) == 32


def is_sealed(text: str) -> bool:
    """Tell whether bytes look as random as those of HPKE: no run of text is left in them."""
    data = decode_base64url(text)
    return len(data) > 100 and not re.search(rb"[ -~]{16}", data)


# What each field of a record may hold: hash, account of an organization, id, time, state, key.
FIELD_FORMS: dict[str, Callable[[object], bool]] = {
    "bits": lambda value: value == 2,
    "commitment": is_digest,
    "count": lambda value: isinstance(value, int),
    "delay_ms": lambda value: isinstance(value, int),
    "digest": is_digest,
    "escrow": lambda value: value == "agents@holder",
    "firm": lambda value: isinstance(value, bool),
    "item": lambda value: bool(re.fullmatch("tg_guard|tg_recover_[0-9a-f]{32}", str(value))),
    "lost_key": lambda value: bool(re.fullmatch("ed0120[0-9a-f]{64}", str(value))),
    "matures_at_ms": lambda value: isinstance(value, int),
    "new_key": lambda value: bool(re.fullmatch("ed0120[0-9a-f]{64}", str(value))),
    "opened_at_ms": lambda value: isinstance(value, int),
    "until_ms": lambda value: isinstance(value, int),
    "credential_types": lambda value: value == ["urn:tegata:credential:resident:1"],
    "expires_at_ms": lambda value: isinstance(value, int),
    "gateway": lambda value: str(value).endswith("@gateway"),
    "issuer": lambda value: str(value).endswith("@issuer"),
    "issuer_record": lambda value: bool(RECORD_ID.fullmatch(str(value))),
    "keys": lambda value: isinstance(value, list) and all(map(is_public_jwk, value)),
    "root": is_digest,
    "salted_hash": is_digest,
    "sealed": lambda value: is_sealed(str(value)),
    "state": lambda value: (
        value in {"active", "suspended", "revoked", "live", "withdrawn", "standing", "finished"}
    ),
    "status_list": lambda value: bool(RECORD_ID.fullmatch(str(value))),
    "uri": lambda value: bool(
        re.fullmatch("http://[0-9.:]+/status-lists/[0-9a-f]{32}", str(value))
    ),
    "uses": lambda value: isinstance(value, int),
    "version": lambda value: isinstance(value, int),
}


def test_short_values_cannot_hide_in_a_record(ledger: LedgerFiles) -> None:
    for key, value in ledger.entries():
        if key.startswith(b"detail"):
            kind, _ = parse_record_key(key_parts(key)[2])
            for name, held in decode_record(value.decode(), kind).to_fields().items():
                assert FIELD_FORMS[name](held), f"field {name} of {kind.__name__}"


def test_a_gateway_forgets_what_was_shown(told: ToldStory, tmp_path: Path) -> None:
    """Until the verifier has read it, it has to be there; the copy is looked at a year later."""
    copy = shutil.copytree(told.town.folder / "gateway", tmp_path / "gateway")
    address = json.dumps(CANARIES["address"]).strip('"').encode()
    assert places_of(address, files_of(copy))
    with closing(GatewayStore(f"sqlite:///{copy / 'gateway.db'}")) as store:
        store.requests.purge(time.time_ns() // 1_000_000 + YEAR_MS)
    assert places_of(address, files_of(copy)) == []
    for value in CANARIES.values():
        assert places_of(value.encode(), files_of(copy)) == []


def test_the_wallets_page_shows_values_and_tells_none(told: ToldStory, tmp_path: Path) -> None:
    copy = shutil.copy(told.wallet_file.with_suffix(".new_phone"), tmp_path / "wallet")
    with watching() as watched, serve_wallet(Path(copy)) as stand, requests.Session() as browser:
        browser.headers["Host"] = stand.origin.removeprefix("http://")

        def open_page(path: str, **form: str) -> str:
            url = f"http://{stand.address}{path}"
            answer = browser.post(url, data=form) if form else browser.get(url)
            return answer.text

        def fill_in(path: str, *, action: str | None = None, **form: str) -> None:
            token = re.search('name="csrf_token" value="([^"]+)"', open_page(path))
            assert token is not None
            open_page(action or path.partition("?")[0], csrf_token=token[1], **form)

        code = stand.desk.devices.new_code()
        fill_in(f"/pair?code={code}", code=code)
        fill_in("/unlock", passphrase="a wrong one")
        fill_in("/unlock", passphrase=told.passphrase)
        (card,) = set(re.findall('href="(/credentials/[0-9a-f]{32})"', open_page("/")))
        assert CANARIES["name"] in open_page(card)
        fill_in("/scan", action="/links", link=CANARIES["address"])
        assert "Certificate of residence" in open_page("/history") + open_page("/grants")
        said = [*GUESSABLE.values(), code, told.passphrase, "Certificate of residence"]
        assert watched.places_of(*said) == []
        assert "/credentials/<record_id>" in watched.spans


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_demo_says_so_too(told: ToldStory) -> None:
    assert told.found
    assert not any(told.found.values())
