"""A wallet whose verifier demands a face test: it makes one, or uses the last one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.face_world import NAME, PORTRAIT, URL, FaceWorld
from support.gateway_world import GatewayWorld
from support.presentation_world import ATTRIBUTES, GATEWAY, HOLDER, ISSUER, LEDGER_ID, RESIDENT
from support.rendered_person import RenderedCamera, live_person, portrait, seeing_world

from chaincode.records import GrantRecord
from client_sdk.credentials.resident import encode_portrait
from client_sdk.errors import CredentialFormatError, FaceTestRefusedError, RequestError
from client_sdk.face.capture import CaptureSource, run_test
from client_sdk.face.client import NewTest
from client_sdk.face.demand import FaceService
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.parts import WalletParts
from client_sdk.wallet.presentation import PreparedAnswer, WalletPresentation
from client_sdk.wallet.records import LedgerAccount, StoredCredential
from client_sdk.wallet.session import WalletSession


class WalletAtGateway:
    """A wallet with one credential, a gateway, and a face service."""

    def __init__(self, folder: Path, face: FaceWorld, picture: bytes | None) -> None:
        self.face = face
        service = {**face.trust(folder), "url": URL}
        self.gateway = GatewayWorld(
            folder, encrypt_responses=False, tables={"face_services": [service]}
        )
        self.world = self.gateway.world
        face.clock.now_ms = self.world.now_ms
        shown = None if picture is None else encode_portrait(picture)
        self.world.credential = self.world.issue(portrait=shown)
        self.camera: CaptureSource = face.person
        self.tested: list[tuple[FaceService, NewTest]] = []
        self.session = self._make_wallet(folder / "wallet")

    def _make_wallet(self, path: Path) -> WalletSession:
        credential = StoredCredential(
            record_id=self.world.record_id,
            credential_type=RESIDENT,
            issuer=ISSUER,
            expires_at_ms=self.world.now_ms + 86_400_000,
            text=self.world.credential,
        )
        account = LedgerAccount(
            account_id=HOLDER,
            ledger_id=LEDGER_ID,
            torii="memory.invalid:1",
            registered_by=ISSUER,
            issuer_url="https://issuer.example",
        )
        contents = WalletContents(
            seed=self.world.holder.seed,
            trust_anchors="",
            account=account,
            credentials={credential.record_id: credential},
        )
        vault = Vault.create(path, "pass", contents.to_fields(), profile=CHEAPEST)
        return WalletSession(vault, now_ms=lambda: self.world.now_ms)

    def test(self, service: FaceService, new: NewTest) -> str:
        """Have the holder's face tested, as an application does."""
        self.tested.append((service, new))
        attestation = run_test(self.face.client, new, self.camera)
        self.world.now_ms = self.face.clock()
        return attestation

    def ask(self, **policy: Any) -> dict[str, Any]:
        body = {"attributes": ["address"], "purpose": "Residence certificate", **policy}
        answer = self.gateway.client.post("/requests", json=body, headers=self.gateway.headers())
        made: dict[str, Any] = answer.get_json()
        return made

    def prepare(self, created: dict[str, Any], *, with_camera: bool = True) -> PreparedAnswer:
        presentation = WalletPresentation(WalletParts(self.session))
        pending = presentation.find_answer(self.gateway.fetch(created))
        return presentation.prepare(
            pending,
            beyond_registration=True,
            face_tester=self.test if with_camera else None,
        )

    def answer(self, created: dict[str, Any]) -> dict[str, Any]:
        """Answer a request; return the result that the verifier reads."""
        prepared = self.prepare(created)
        for grant in prepared.grants:
            record = GrantRecord(
                commitment=grant.terms.commitment(grant.opening),
                gateway=GATEWAY,
                expires_at_ms=grant.expires_at_ms,
                uses=grant.uses,
                state="live",
            )
            self.world.ledger.put(HOLDER, grant.grant_id, record)
        self.gateway.client.post(f"/oid4vp/responses/{created['id']}", data=dict(prepared.form))
        return self.gateway.read(created["id"])

    def close(self) -> None:
        self.session.close()
        self.gateway.close()


@pytest.fixture
def wallet(tmp_path: Path) -> Iterator[WalletAtGateway]:
    wallet = WalletAtGateway(tmp_path, FaceWorld(), PORTRAIT)
    yield wallet
    wallet.close()


def test_a_face_opens_an_attribute_end_to_end(tmp_path: Path) -> None:
    """Wallet, gateway and face service with its real checks, and a rendered face."""
    face = seeing_world()
    wallet = WalletAtGateway(tmp_path, face, portrait(0))
    wallet.camera = RenderedCamera(face, live_person(0))
    result = wallet.answer(wallet.ask(face="required"))
    assert (result["status"], result["attributes"]) == (
        "accepted",
        {"address": ATTRIBUTES["address"]},
    )
    ((service, new),) = wallet.tested
    assert (service.name, service.url, new.account) == (NAME, URL, HOLDER)
    wallet.close()


def test_who_does_not_pass_shows_nothing(wallet: WalletAtGateway) -> None:
    created = wallet.ask(face="required")
    wallet.face.vision.conclusion = "wrong_person"
    with pytest.raises(FaceTestRefusedError, match="registered portrait"):
        wallet.prepare(created)
    assert wallet.gateway.read(created["id"])["status"] == "fetched"


def test_an_application_without_camera_says_so(wallet: WalletAtGateway) -> None:
    with pytest.raises(RequestError, match="this application makes none"):
        wallet.prepare(wallet.ask(face="required"), with_camera=False)
    # And where none is demanded it needs none.
    assert wallet.prepare(wallet.ask(), with_camera=False).grants


def test_the_consent_screen_says_that_a_face_test_is_demanded(wallet: WalletAtGateway) -> None:
    find = WalletPresentation(WalletParts(wallet.session)).find_answer
    demanding = find(wallet.gateway.fetch(wallet.ask(face="required", face_max_age=600)))
    assert demanding.face is not None
    assert demanding.face.max_age_s == 600
    assert find(wallet.gateway.fetch(wallet.ask())).face is None


def test_a_recent_test_is_used_again_until_it_is_too_old(wallet: WalletAtGateway) -> None:
    policy = {"face": "required", "face_max_age": 600}
    for _ in range(2):
        assert wallet.answer(wallet.ask(**policy))["status"] == "accepted"
    assert len(wallet.tested) == 1
    # A request for a test of its own takes no kept one, nor is its test kept.
    assert wallet.answer(wallet.ask(face="required"))["status"] == "accepted"
    assert len(wallet.tested) == 2
    wallet.world.now_ms += 560_000
    wallet.face.clock.now_ms = wallet.world.now_ms
    assert wallet.answer(wallet.ask(**policy))["status"] == "accepted"
    assert len(wallet.tested) == 3


def test_a_kept_test_is_in_no_backup(wallet: WalletAtGateway) -> None:
    wallet.answer(wallet.ask(face="required", face_max_age=600))
    contents = wallet.session.contents
    (kept,) = contents.face_tests.values()
    assert WalletContents.from_fields(contents.to_fields()) == contents
    assert kept not in str(contents.to_backup())


def test_a_credential_without_portrait_cannot_be_compared(tmp_path: Path) -> None:
    wallet = WalletAtGateway(tmp_path, FaceWorld(), None)
    with pytest.raises(CredentialFormatError, match="holds none"):
        wallet.prepare(wallet.ask(face="required"))
    wallet.close()
