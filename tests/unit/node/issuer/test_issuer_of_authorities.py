"""An issuer whose key authorities share: status lists, and one-time credentials in batches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.authority_world import Authorities, RefusedError
from support.issuer_world import ISSUER, Clock, IssuerWorld

from chaincode.records import BatchRecord, StatusListRecord
from client_sdk.credentials.jose import generate_key, parse_compact, thumbprint
from client_sdk.credentials.sd_jwt_vc import anchor_hash
from client_sdk.credentials.token_status_list import (
    Status,
    StatusList,
    sign_status_list,
    verify_status_list,
)
from client_sdk.ledger.batches import Inclusion


class City:
    """The issuer's service, and the authorities that sign for it."""

    def __init__(self, folder: Path) -> None:
        clock = Clock()
        made: list[Authorities] = []

        def gather(ledger_id: str) -> Any:
            made.append(Authorities(folder, ledger_id=ledger_id, now_ms=clock))
            return made[0]

        self.world = IssuerWorld(folder, signer_on=gather, clock=clock)
        self.authorities = made[0]

    def issue(self, count: int) -> list[dict[str, Any]]:
        """Have one-time credentials issued; return the members of the answer."""
        nonce = self.world.nonce()
        proofs = [self.world.proof(generate_key(), nonce) for _ in range(count)]
        answer = self.world.request_credential(self.world.token(), *proofs)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.get_json()["credentials"]
        return found


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path)
    yield made
    made.world.store.close()
    for store in made.authorities.stores.values():
        store.close()


def claims_of(element: dict[str, Any]) -> dict[str, Any]:
    return parse_compact(element["credential"].partition("~")[0]).unverified_payload


def test_one_time_credentials_share_a_batch_and_a_list(city: City) -> None:
    made = city.issue(3)
    batches = {Inclusion.from_json(one["tegata_inclusion"]).batch for one in made}
    (batch_id,) = batches
    ledger = city.world.ledger.client(ISSUER)
    record = ledger.record(ISSUER, batch_id, BatchRecord)
    assert record is not None
    for one in made:
        inclusion = Inclusion.from_json(one["tegata_inclusion"])
        inclusion.check(anchor_hash(one["credential"].partition("~")[0]), record)
        assert "account" not in claims_of(one)["tegata"]
    places = [claims_of(one)["status"]["status_list"]["idx"] for one in made]
    assert len(set(places)) == 3
    assert {claims_of(one)["tegata"]["status"] for one in made} == {record.status_list}


def test_authorities_sign_the_list_and_its_revocations(city: City) -> None:
    (one,) = city.issue(1)
    reference = claims_of(one)["status"]["status_list"]
    place = claims_of(one)["tegata"]
    path = reference["uri"].removeprefix(city.world.config.public_url)

    def listed() -> StatusList:
        answer = city.world.http.get(path)
        assert answer.status_code == 200, answer.text
        return verify_status_list(
            answer.text,
            issuer_key=city.world.signing_key,
            expected_uri=reference["uri"],
            now_s=city.world.clock() // 1000,
            leeway_s=0,
        ).statuses

    assert listed()[reference["idx"]] == Status.VALID
    assert city.world.operator(f"/credentials/{place['record']}/revoke").status_code == 200
    statuses = listed()
    assert statuses[reference["idx"]] == Status.INVALID
    record = city.world.ledger.client(ISSUER).record(ISSUER, place["status"], StatusListRecord)
    assert record is not None
    assert record.digest == statuses.digest()
    # The issuer's service alone cannot publish that it is valid again.
    signer: Any = city.authorities
    with pytest.raises(RefusedError, match="takes a revocation back"):
        sign_status_list(
            StatusList.of_size(len(statuses), bits=2),
            uri=reference["uri"],
            issuer_key=signer,
            issued_at=city.world.clock() // 1000,
            expires_at=city.world.clock() // 1000 + 900,
            ttl_s=300,
            header={"kid": thumbprint(city.world.signing_key)},
        )
    # They sign no credential that is a list.
    assert city.world.http.get(f"{path}/revocation").status_code == 404


def test_a_list_outlives_authorities_that_are_away_for_a_while(city: City) -> None:
    (one,) = city.issue(1)
    uri = claims_of(one)["status"]["status_list"]["uri"]
    path = uri.removeprefix(city.world.config.public_url)
    first = city.world.http.get(path)
    ttl_s = city.world.config.status_ttl_seconds
    city.authorities.is_reachable = False
    city.world.clock.advance(seconds=ttl_s)
    assert city.world.http.get(path).text == first.text
    city.world.clock.advance(seconds=ttl_s)
    late = city.world.http.get(path)
    assert (late.status_code, late.get_json()["code"]) == (503, "authorities_unavailable")
    city.authorities.is_reachable = True
    assert city.world.http.get(path).status_code == 200


def test_nothing_old_is_published_after_a_revocation(city: City) -> None:
    (one,) = city.issue(1)
    reference, place = claims_of(one)["status"]["status_list"], claims_of(one)["tegata"]
    path = reference["uri"].removeprefix(city.world.config.public_url)
    assert city.world.http.get(path).status_code == 200
    city.authorities.is_reachable = False
    # The ledger has it at once: from now on no verifier takes the copy that there is.
    assert city.world.operator(f"/credentials/{place['record']}/revoke").status_code == 200
    assert city.world.http.get(path).status_code == 503
