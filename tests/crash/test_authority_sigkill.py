"""A signer that is killed between the rounds never uses its nonces again: they died with it."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.authorities import TOKEN, AuthorityProcess, make_authority_folder
from support.threshold import deal

from client_sdk.credentials.jose import (
    export_public_jwk,
    generate_key,
    parse_public_jwk,
    thumbprint,
)
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.credentials.sd_jwt_vc import issue_credential
from client_sdk.errors import ServiceRefusedError
from client_sdk.frost.keys import KeyShare
from client_sdk.frost.signing import SigningPackage, aggregate, commit, sign_share
from client_sdk.issuer.authority_client import AuthorityClient, group_jwk
from client_sdk.ledger.grants import new_record_id, new_salt

ISSUER_URL, ISSUER, LEDGER_ID = "http://127.0.0.1:8081", "aoba_city@issuer", "ab" * 32


@pytest.fixture
def shares() -> dict[int, KeyShare]:
    return deal(2, 2)


@pytest.fixture
def folder(tmp_path: Path, shares: dict[int, KeyShare]) -> Path:
    return make_authority_folder(
        tmp_path / "authority",
        shares[1],
        issuer_url=ISSUER_URL,
        issuer_account=ISSUER,
        ledger_id=LEDGER_ID,
    )


class Credential:
    """A credential that waits for its signature."""

    def __init__(self, share: KeyShare) -> None:
        self.public_key = parse_public_jwk(group_jwk(share.group))
        self.signing_input = b""
        self.disclosures: tuple[str, ...] = ()
        now_s = time.time_ns() // 1_000_000_000
        place = {"ledger": LEDGER_ID, "issuer": ISSUER, "record": new_record_id()}
        issue_credential(
            claims={"sex": "1", "tegata": {**place, "salt": new_salt()}},
            concealed=[("sex",)],
            vct=RESIDENT_CREDENTIAL_TYPE,
            issuer=ISSUER_URL,
            issuer_key=self,
            issued_at=now_s,
            expires_at=now_s + 3600,
            holder_key=export_public_jwk(generate_key()),
            header={"kid": thumbprint(self.public_key)},
        )

    def sign(self, signing_input: bytes, disclosures: tuple[str, ...]) -> bytes:
        self.signing_input, self.disclosures = signing_input, disclosures
        return bytes(64)


@pytest.fixture
def credential(shares: dict[int, KeyShare]) -> Credential:
    return Credential(shares[1])


@pytest.fixture
def process(folder: Path) -> Iterator[AuthorityProcess]:
    with AuthorityProcess(folder) as process:
        yield process


def files_of(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_killed_between_the_rounds(
    folder: Path,
    shares: dict[int, KeyShare],
    credential: Credential,
    process: AuthorityProcess,
) -> None:
    url = process.url
    before = files_of(folder)
    own = commit(shares[2])
    with AuthorityClient(url, TOKEN) as client:
        session, commitment = client.commit()
    process.kill()
    assert files_of(folder) == before, "round one left something on disk"

    package = SigningPackage(
        payload=credential.signing_input, commitments=(commitment, own.commitment)
    )
    with AuthorityProcess(folder) as restarted, AuthorityClient(restarted.url, TOKEN) as client:
        with pytest.raises(ServiceRefusedError, match="lost when this signer restarted") as refusal:
            client.sign(session, package, credential.disclosures)
        assert refusal.value.code == "unknown_session"

        session, commitment = client.commit()
        package = SigningPackage(
            payload=credential.signing_input, commitments=(commitment, own.commitment)
        )
        parts = [
            client.sign(session, package, credential.disclosures),
            sign_share(shares[2], own, package),
        ]
    assert aggregate(shares[1].group, package, parts)


def test_killed_after_round_two(
    folder: Path,
    shares: dict[int, KeyShare],
    credential: Credential,
    process: AuthorityProcess,
) -> None:
    """What was answered was written before: after the crash another credential is refused."""
    own = commit(shares[2])
    with AuthorityClient(process.url, TOKEN) as client:
        session, commitment = client.commit()
        package = SigningPackage(
            payload=credential.signing_input, commitments=(commitment, own.commitment)
        )
        client.sign(session, package, credential.disclosures)
    process.kill()

    with AuthorityProcess(folder) as restarted, AuthorityClient(restarted.url, TOKEN) as client:
        with pytest.raises(ServiceRefusedError, match="lost when this signer restarted"):
            client.sign(session, package, credential.disclosures)
        # The same credential may be signed again, with new nonces.
        session, commitment = client.commit()
        package = SigningPackage(
            payload=credential.signing_input, commitments=(commitment, own.commitment)
        )
        assert client.sign(session, package, credential.disclosures)
