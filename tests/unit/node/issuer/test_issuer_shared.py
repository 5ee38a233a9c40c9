"""Two issuers on one database: a code, a token and a nonce are good once, wherever they come."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.issuer_world import IssuerWorld
from support.logins import PASSWORD_HASH, browser_of, log_in

from client_sdk.credentials.jose import generate_key
from client_sdk.openid4vci.credential_offer import PRE_AUTHORIZED_CODE
from node.issuer.offers import TRANSACTION_CODE_TRIES
from node.web.logins import LoginConfig


@pytest.fixture
def pair(tmp_path: Path, database_url: str) -> Iterator[tuple[IssuerWorld, IssuerWorld]]:
    first = IssuerWorld(
        tmp_path,
        database_url=database_url,
        logins=(LoginConfig(name="sato", password_hash=PASSWORD_HASH),),
    )
    second = first.another_instance()
    yield first, second
    second.store.close()
    first.store.close()


def test_each_step_is_taken_at_another_instance(pair: tuple[IssuerWorld, IssuerWorld]) -> None:
    first, second = pair
    offer = first.make_offer()
    token = first.redeem(second.code_of(offer), offer["tx_code"]).get_json()["access_token"]
    key = generate_key()
    answer = second.request_credential(token, second.proof(key, first.nonce()))
    assert answer.status_code == 200, answer.text
    listed = first.operator("/credentials", method="GET").get_json()["credentials"]
    assert [row["reference"] for row in listed] == ["case-1"]
    record = listed[0]["record"]
    assert second.operator(f"/credentials/{record}/revoke").status_code == 200
    listed = first.operator("/credentials", method="GET").get_json()["credentials"]
    assert [row["state"] for row in listed] == ["revoked"]


def test_a_code_is_redeemed_once(pair: tuple[IssuerWorld, IssuerWorld]) -> None:
    offer = pair[0].make_offer()
    code = pair[0].code_of(offer)

    def redeem(number: int) -> int:
        form = {
            "grant_type": PRE_AUTHORIZED_CODE,
            "pre-authorized_code": code,
            "tx_code": offer["tx_code"],
        }
        client = pair[number % 2].app.test_client()
        return client.post("/token", data=form).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(redeem, range(8)))
    assert statuses == [200] + [400] * 7


def test_wrong_transaction_codes_count_at_both(pair: tuple[IssuerWorld, IssuerWorld]) -> None:
    first, _ = pair
    offer = first.make_offer()
    code = first.code_of(offer)
    wrong = "000000" if offer["tx_code"] != "000000" else "000001"
    for number in range(TRANSACTION_CODE_TRIES):
        assert pair[number % 2].redeem(code, wrong).status_code == 400
    assert first.redeem(code, offer["tx_code"]).status_code == 400


def test_a_nonce_is_spent_at_both(pair: tuple[IssuerWorld, IssuerWorld]) -> None:
    first, second = pair
    nonce = first.nonce()
    answers = [
        world.request_credential(world.token(), world.proof(generate_key(), nonce))
        for world in (first, second)
    ]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].get_json()["error"] == "invalid_nonce"


def test_tries_to_log_in_count_at_both(
    pair: tuple[IssuerWorld, IssuerWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.web.logins.matches_password", lambda *_: False)
    browsers = [browser_of(world.http) for world in pair]
    tries = [log_in(browsers[number % 2], "sato").status_code for number in range(12)]
    assert tries == [403] * 10 + [429] * 2
