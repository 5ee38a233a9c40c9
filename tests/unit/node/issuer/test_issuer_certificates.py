"""The certificates that an issuer's credentials carry (HAIP 1.0 section 6.1.1)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.issuer_world import IssuerWorld
from support.memory_ledger import START_MS
from support.presentation_world import key_of_account
from support.residents import KEY, batch_job, read_letters, resident_row, write_csv
from support.wallet_provider import Authority

from client_sdk.credentials.jose import ES256, generate_key, parse_compact, thumbprint
from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.openid4vci.certificate_chain import encode_x5c, verify_x5c
from node.errors import ConfigError
from node.issuer.credential_certificates import load_credential_certificates
from node.issuer.residents import CsvResidents

AUTHORITY = Authority(START_MS)
CITY = AUTHORITY.certify("Aoba City")


def world_of(folder: Path, pem: bytes, **more: Any) -> IssuerWorld:
    chain = folder / "city.crt"
    chain.write_bytes(pem)
    signer: Callable[[str], Any] = lambda _ledger: CITY.signing_key  # noqa: E731
    return IssuerWorld(folder, **{"signer_on": signer, "credential_chain_file": chain, **more})


def test_haip_6_1_1_credential_carries_the_chain_without_its_anchor(tmp_path: Path) -> None:
    world = world_of(tmp_path, CITY.encode_chain() + AUTHORITY.pem)
    header = parse_credential(world.issue()).unverified_header
    assert header["x5c"] == encode_x5c(CITY.chain)
    assert header["kid"] == thumbprint(CITY.signing_key)
    now_s = world.clock() // 1000
    key = verify_x5c(header, anchors=(AUTHORITY.certificate,), now_s=now_s)
    assert thumbprint(key) == thumbprint(world.signing_key)
    world.store.close()


def test_processes_that_sign_beforehand_carry_it_too(tmp_path: Path) -> None:
    world = world_of(tmp_path, CITY.encode_chain())
    job = batch_job(
        world, certificates=load_credential_certificates(world.config, CITY.signing_key)
    )
    source = CsvResidents(write_csv(tmp_path / "residents.csv", [resident_row(1)]))
    job.run(source, tmp_path / "letters.csv", progress=lambda *_: None)
    (letter,) = read_letters(tmp_path / "letters.csv")
    token = world.redeem(world.code_of({"link": letter["offer"]}), letter["tx_code"]).get_json()
    proof = world.proof(key_of_account(KEY), world.nonce())
    answer = world.request_credential(token["access_token"], proof).get_json()
    jwt = answer["credentials"][0]["credential"].partition("~")[0]
    assert parse_compact(jwt).unverified_header["x5c"] == encode_x5c(CITY.chain)
    world.store.close()


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (AUTHORITY.pem, "self-signed"),
        (AUTHORITY.certify("Another").encode_chain(), "another key"),
        (b"", "not PEM"),
    ],
    ids=["self-signed", "another key", "no certificate"],
)
def test_what_does_not_certify_the_signing_key_is_refused(
    tmp_path: Path, pem: bytes, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        world_of(tmp_path, pem)


def test_a_key_of_another_kind_has_no_certificate(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another key"):
        world_of(tmp_path, CITY.encode_chain(), signer_on=lambda _ledger: generate_key())
    with pytest.raises(ConfigError, match="another key"):
        world_of(tmp_path, CITY.encode_chain(), signer_on=lambda _ledger: generate_key(ES256))
    with pytest.raises(ConfigError, match="cannot be read"):
        world_of(tmp_path, b"", credential_chain_file=tmp_path / "nowhere.crt")
