"""Faces that agents want to see before they evaluate."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.escrow_world import CONTENTS, PASSWORD, EscrowWorld
from support.face_world import PORTRAIT, URL, FaceWorld
from support.issuer_world import Clock

from client_sdk.credentials.jose import export_public_jwk, generate_key
from client_sdk.errors import (
    EscrowError,
    EscrowFormatError,
    FaceTestRefusedError,
    TooFewAgentsError,
)
from client_sdk.escrow.agents_faces import find_face_service, want_faces
from client_sdk.escrow.evaluation_request import RECOVERY_PURPOSE
from client_sdk.escrow.protection import (
    HolderBinding,
)
from client_sdk.escrow.recovery import (
    RecoveryFaceTest,
    recover,
)
from client_sdk.face.attestation import FaceAttestation
from client_sdk.face.capture import run_test
from client_sdk.face.portrait import PortraitOpening


def test_a_face_test_is_made_once_for_all_agents(tmp_path: Path) -> None:
    face_key, asked = generate_key(), []
    key_file = tmp_path / "face.jwk"
    key_file.write_text(json.dumps(export_public_jwk(face_key)))
    signer = {"name": "face.example", "key_file": key_file}
    world = EscrowWorld(tmp_path, face_required=True, face_services=[signer])
    binding = HolderBinding(account="h@holder", portrait_commitment="portrait")
    card, _ = world.protect(binding=binding)

    def face_test(wanted: RecoveryFaceTest) -> str:
        asked.append(wanted.request_hash)
        now_s = world.clock() // 1000
        return FaceAttestation(
            issuer="face.example",
            audience=wanted.audience,
            id="one",
            issued_at=now_s,
            expires_at=now_s + 60,
            purpose=RECOVERY_PURPOSE,
            account=wanted.account,
            request_hash=wanted.request_hash,
            portrait_commitment=wanted.portrait_commitment,
            checks=("liveness",),
            thresholds={},
        ).sign(face_key)

    with pytest.raises(TooFewAgentsError, match="a face attestation is needed"):
        recover(card, PASSWORD, http=world.http)
    assert recover(card, PASSWORD, http=world.http, face_test=face_test).contents == CONTENTS
    assert len(asked) == 1
    world.close()


def test_agents_take_the_word_of_a_face_service_for_this_recovery(tmp_path: Path) -> None:
    portrait = PortraitOpening.create(PORTRAIT)
    clock = Clock()
    face = FaceWorld(clock=clock)
    trusted = [face.trust(tmp_path)]
    world = EscrowWorld(tmp_path, clock=clock, face_required=True, face_services=trusted)
    binding = HolderBinding(account="h@holder", portrait_commitment=portrait.commitment)
    card, _ = world.protect(binding=binding)

    def face_test(wanted: RecoveryFaceTest) -> str:
        return run_test(face.client, wanted.with_portrait(portrait), face.person)

    assert recover(card, PASSWORD, http=world.http, face_test=face_test).contents == CONTENTS
    # One who shows the face of another portrait is not the one who was registered.
    face.vision.conclusion = "wrong_person"
    with pytest.raises(FaceTestRefusedError, match="registered portrait"):
        recover(card, PASSWORD, http=world.http, face_test=face_test)
    world.close()


def test_agents_that_want_faces_take_no_deposit_from_which_nobody_could_recover(
    tmp_path: Path,
) -> None:
    trusted = [FaceWorld().trust(tmp_path)]
    world = EscrowWorld(tmp_path, face_required=True, face_services=trusted)
    assert want_faces(world.urls, http=world.http)
    for binding in (HolderBinding(), HolderBinding(account="h@holder")):
        with pytest.raises(EscrowError, match="Agent 1 wants to see the holder's face"):
            world.protect(binding=binding)
    assert not any(path.startswith("/deposits") for _, _, path in world.http.sent)
    world.close()


def test_where_faces_are_tested_most_agents_say_alike(tmp_path: Path) -> None:
    trusted = [{**FaceWorld().trust(tmp_path), "url": URL}]
    world = EscrowWorld(tmp_path, face_services=trusted)
    assert not want_faces(world.urls, http=world.http)
    assert find_face_service(world.urls, http=world.http) == URL

    def mislead(_method: str, _path: str, answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "face_services": ["https://thief.example"]}

    world.http.tampering = {world.urls[0]: mislead}
    assert find_face_service(world.urls, http=world.http) == URL
    # One word is too few: the portrait would go there.
    world.http.down = {world.urls[1]}
    with pytest.raises(TooFewAgentsError) as refused:
        find_face_service(world.urls, http=world.http)
    assert refused.value.may_pass
    world.http.tampering = dict.fromkeys(world.urls, lambda *_: {"name": "nobody"})
    with pytest.raises(TooFewAgentsError) as refused:
        find_face_service(world.urls, http=world.http)
    assert not refused.value.may_pass
    world.close()


def test_a_portrait_that_was_not_registered_is_sent_nowhere() -> None:
    wanted = RecoveryFaceTest(
        audience="agents", account="h@holder", request_hash="A" * 43, portrait_commitment="B" * 43
    )
    with pytest.raises(EscrowFormatError, match="not the one that was registered"):
        wanted.with_portrait(PortraitOpening.create(PORTRAIT))
