"""Key attestations at the credential endpoint (OpenID4VCI 1.0 appendices D and F)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.issuer_world import IssuerWorld
from support.memory_ledger import START_MS
from support.presentation_world import key_of_account
from support.wallet_provider import Authority
from werkzeug.test import TestResponse

from client_sdk.credentials.jose import (
    ES256,
    Key,
    export_public_jwk,
    generate_key,
    parse_compact,
    sign_compact,
)
from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account
from client_sdk.openid4vci.key_attestation import sign_key_attestation
from client_sdk.openid4vci.key_proof import sign_key_proof
from node.issuer.config import KeyAttestations

AUTHORITY = Authority(START_MS)
PROVIDER = AUTHORITY.certify()


@pytest.fixture(params=["demanded", "taken"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[IssuerWorld]:
    (tmp_path / "providers.pem").write_bytes(AUTHORITY.pem)
    demand = KeyAttestations(key_storage=("iso_18045_high",))
    made = IssuerWorld(
        tmp_path,
        wallet_providers_file=tmp_path / "providers.pem",
        key_attestations=demand if request.param == "demanded" else None,
        batch_size=3,
    )
    yield made
    made.store.close()


def attest(keys: Sequence[Key], nonce: str | None, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "provider_key": PROVIDER.signing_key,
        "chain": PROVIDER.chain,
        "nonce": nonce,
        "now_s": START_MS // 1000,
        "lifetime_s": 3600,
        "key_storage": ["iso_18045_high"],
        **changes,
    }
    return sign_key_attestation(keys, **fields)


def prove(
    world: IssuerWorld,
    key: Key,
    attestation: str | None,
    nonce: str | None = None,
    account: str | None = None,
) -> str:
    return sign_key_proof(
        holder_key=key,
        issuer_url=world.config.public_url,
        nonce=nonce or world.nonce(),
        issued_at=world.clock() // 1000,
        account=account,
        attestation=attestation,
    )


def ask(world: IssuerWorld, proofs: object) -> TestResponse:
    body = {"credential_configuration_id": "resident", "proofs": proofs}
    headers = {"Authorization": f"Bearer {world.token()}"}
    return world.http.post("/credential", json=body, headers=headers)


def bound_keys(answer: TestResponse) -> list[Any]:
    assert answer.status_code == 200, answer.text
    return [
        parse_credential(member["credential"]).holder_key
        for member in answer.get_json()["credentials"]
    ]


def error_of(answer: TestResponse) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.get_json()["error"])


def test_12_2_4_metadata_says_which_proofs_are_taken(world: IssuerWorld) -> None:
    fields = world.http.get("/.well-known/openid-credential-issuer").get_json()
    ways = fields["credential_configurations_supported"]["resident"]["proof_types_supported"]
    assert ways["attestation"]["proof_signing_alg_values_supported"] == ["ES256"]
    for way in ways.values():
        if world.config.key_attestations is None:
            assert "key_attestations_required" not in way
        else:
            assert way["key_attestations_required"] == {"key_storage": ["iso_18045_high"]}


def test_f_1_each_attested_key_gets_a_credential(world: IssuerWorld) -> None:
    keys = [generate_key(ES256) for _ in range(3)]
    nonce = world.nonce()
    proof = prove(world, keys[1], attest(keys, nonce), nonce)
    assert bound_keys(ask(world, {"jwt": [proof]})) == [export_public_jwk(key) for key in keys]


def test_f_1_the_key_that_signs_may_name_its_account(world: IssuerWorld) -> None:
    own = AccountKey.generate()
    world.ledger.submit("admin@tegata", create_account("h4f2@holder", own.public_key))
    key, nonce = key_of_account(own), world.nonce()
    proof = prove(world, key, attest([key], nonce), nonce, account="h4f2@holder")
    (member,) = ask(world, {"jwt": [proof]}).get_json()["credentials"]
    place = parse_credential(member["credential"]).unverified_claims["tegata"]
    assert place["account"] == "h4f2@holder"


def test_f_3_an_attestation_alone_proves_keys(world: IssuerWorld) -> None:
    keys = [generate_key(ES256) for _ in range(2)]
    answer = ask(world, {"attestation": [attest(keys, world.nonce())]})
    assert bound_keys(answer) == [export_public_jwk(key) for key in keys]


def test_d_1_proof_must_be_signed_by_an_attested_key(world: IssuerWorld) -> None:
    nonce = world.nonce()
    proof = prove(world, generate_key(ES256), attest([generate_key(ES256)], nonce), nonce)
    assert error_of(ask(world, {"jwt": [proof]})) == "invalid_proof"


def test_d_1_attestation_with_a_proof_has_an_end(world: IssuerWorld) -> None:
    key, nonce = generate_key(ES256), world.nonce()
    whole = parse_compact(attest([key], nonce))
    payload = {name: value for name, value in whole.unverified_payload.items() if name != "exp"}
    header = {name: whole.unverified_header[name] for name in ("typ", "x5c")}
    endless = sign_compact(header, payload, PROVIDER.signing_key)
    proof = prove(world, key, endless, nonce)
    assert error_of(ask(world, {"jwt": [proof]})) == "invalid_proof"
    assert bound_keys(ask(world, {"attestation": [endless]}))


@pytest.mark.parametrize("nonce", [None, "made-up"])
def test_f_1_attestation_answers_a_nonce_of_the_issuer(
    world: IssuerWorld, nonce: str | None
) -> None:
    key = generate_key(ES256)
    expected = "invalid_proof" if nonce is None else "invalid_nonce"
    proof = prove(world, key, attest([key], nonce))
    assert error_of(ask(world, {"jwt": [proof]})) == expected
    assert error_of(ask(world, {"attestation": [attest([key], nonce)]})) == expected


def test_f_3_attestation_is_good_once(world: IssuerWorld) -> None:
    proofs = {"attestation": [attest([generate_key(ES256)], world.nonce())]}
    assert ask(world, proofs).status_code == 200
    assert error_of(ask(world, proofs)) == "invalid_nonce"


def test_invalid_key_attestation_signature(world: IssuerWorld) -> None:
    # VCIIssuerFailOnInvalidKeyAttestationSignature.
    key, nonce = generate_key(ES256), world.nonce()
    spoilt = attest([key], nonce, provider_key=generate_key(ES256))
    assert error_of(ask(world, {"jwt": [prove(world, key, spoilt, nonce)]})) == "invalid_proof"
    assert error_of(ask(world, {"attestation": [spoilt]})) == "invalid_proof"


def test_a_key_that_is_kept_worse_than_demanded_is_refused(world: IssuerWorld) -> None:
    key, nonce = generate_key(ES256), world.nonce()
    weak = attest([key], nonce, key_storage=["iso_18045_basic"])
    answer = ask(world, {"jwt": [prove(world, key, weak, nonce)]})
    assert (answer.status_code == 200) is (world.config.key_attestations is None)


def test_a_proof_without_an_attestation(world: IssuerWorld) -> None:
    answer = ask(world, {"jwt": [prove(world, generate_key(ES256), None)]})
    assert (answer.status_code == 200) is (world.config.key_attestations is None)


@pytest.mark.parametrize("count", [0, 2])
def test_f_3_exactly_one_attestation_is_sent(world: IssuerWorld, count: int) -> None:
    one = attest([generate_key(ES256)], world.nonce())
    assert error_of(ask(world, {"attestation": [one] * count})) == "invalid_proof"


def test_8_2_more_keys_than_the_batch_are_refused(world: IssuerWorld) -> None:
    keys = [generate_key(ES256) for _ in range(4)]
    assert error_of(ask(world, {"attestation": [attest(keys, world.nonce())]})) == "invalid_proof"


def test_f_1_key_attestation_that_is_no_text_is_refused(world: IssuerWorld) -> None:
    proof = prove(world, generate_key(ES256), {"jwt": "x"})  # type: ignore[arg-type]
    assert error_of(ask(world, {"jwt": [proof]})) == "invalid_proof"


def test_without_providers_attestations_are_not_read(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    key, nonce = generate_key(ES256), world.nonce()
    assert bound_keys(ask(world, {"jwt": [prove(world, key, "unread", nonce)]}))
    assert error_of(ask(world, {"attestation": [attest([key], world.nonce())]})) == "invalid_proof"
    world.store.close()
