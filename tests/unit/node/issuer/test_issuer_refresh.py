"""Refresh tokens at the issuer's token endpoint: who gets the same credentials again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.authorizing import Authorizing
from support.issuer_world import RESIDENT, IssuerWorld
from support.wallet_provider import Authority, WalletProvider
from werkzeug.test import TestResponse

from client_sdk.credentials.jose import ES256, Key, export_public_jwk, generate_key
from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.openid4vci.authorization import details_of
from client_sdk.openid4vci.credential_offer import PRE_AUTHORIZED_CODE
from client_sdk.openid4vci.dpop import sign_dpop_proof
from client_sdk.strict_json import encode_json

DAY_S = 86_400


class Refreshing:
    """An issuer that gives refresh tokens, and a wallet with or without a key of its own."""

    def __init__(self, world: IssuerWorld) -> None:
        self.world = world
        self._proofs = 0

    def dpop(self, key: Key | None) -> dict[str, str]:
        if key is None:
            return {}
        self._proofs += 1
        return {
            "DPoP": sign_dpop_proof(
                key,
                method="POST",
                url=f"{self.world.config.public_url}/token",
                proof_id=f"proof {self._proofs}",
                now_s=self.world.clock() // 1000,
            )
        }

    def first(self, key: Key | None = None, **more: str) -> dict[str, Any]:
        """Return the token answer to an offer."""
        offer = self.world.make_offer()
        form = {
            "grant_type": PRE_AUTHORIZED_CODE,
            "pre-authorized_code": self.world.code_of(offer),
            "tx_code": offer["tx_code"],
            **more,
        }
        return answer_of(self.world.http.post("/token", data=form, headers=self.dpop(key)))

    def refresh(self, token: str, key: Key | None = None, **more: str) -> TestResponse:
        form = {"grant_type": "refresh_token", "refresh_token": token, **more}
        return self.world.http.post("/token", data=form, headers=self.dpop(key))

    def issue(self, answer: dict[str, Any], holder_key: Key | None = None) -> str:
        """Return the credential of a token that is bound to no key."""
        proof = self.world.proof(holder_key or generate_key(), self.world.nonce())
        issued = self.world.request_credential(answer["access_token"], proof)
        return str(answer_of(issued)["credentials"][0]["credential"])

    def records(self) -> list[dict[str, Any]]:
        listed = self.world.operator("/credentials", method="GET").get_json()
        found: list[dict[str, Any]] = listed["credentials"]
        return found


def answer_of(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def refused(response: TestResponse) -> str:
    assert response.status_code == 400, response.text
    return str(response.get_json()["error"])


@pytest.fixture
def city(tmp_path: Path) -> Iterator[Refreshing]:
    world = IssuerWorld(tmp_path, refresh_days=30)
    yield Refreshing(world)
    world.store.close()


def test_rfc6749_6_refresh_token_gives_the_same_credential_again(city: Refreshing) -> None:
    first = city.first()
    old = city.issue(first)
    city.world.clock.advance(seconds=20 * DAY_S)
    key = generate_key()
    again = city.issue(answer_of(city.refresh(first["refresh_token"])), key)
    claims = parse_credential(again).unverified_claims
    before = parse_credential(old).unverified_claims
    assert claims["cnf"] == {"jwk": export_public_jwk(key)}
    for name in ("name", "address", "birth_date", "portrait"):
        assert claims[name] == before[name]
    assert claims["address"] == RESIDENT["address"]
    assert int(str(claims["exp"])) - int(str(before["exp"])) == 20 * DAY_S
    # Both are in force, and the operator finds them by the same case number.
    assert [(one["state"], one["reference"]) for one in city.records()] == [
        ("active", "case-1")
    ] * 2


def test_rfc9700_4_14_token_that_no_key_is_bound_to_is_good_once(city: Refreshing) -> None:
    first = city.first()
    second = answer_of(city.refresh(first["refresh_token"]))
    third = answer_of(city.refresh(second["refresh_token"]))
    assert len({one["refresh_token"] for one in (first, second, third)}) == 3
    # Somebody has a copy: nothing more comes of the grant, for neither of them.
    assert refused(city.refresh(first["refresh_token"])) == "invalid_grant"
    assert refused(city.refresh(third["refresh_token"])) == "invalid_grant"
    proof = city.world.proof(generate_key(), city.world.nonce())
    assert city.world.request_credential(third["access_token"], proof).status_code == 401


def test_fapi2_5_3_2_1_token_that_is_bound_to_a_key_stays_the_same(city: Refreshing) -> None:
    key = generate_key(ES256)
    first = city.first(key)
    for _ in range(2):
        again = answer_of(city.refresh(first["refresh_token"], key))
        assert again["token_type"] == "DPoP"
        assert "refresh_token" not in again


def test_rfc9449_5_token_is_of_no_use_without_its_key(city: Refreshing) -> None:
    key = generate_key(ES256)
    token = city.first(key)["refresh_token"]
    assert refused(city.refresh(token)) == "invalid_dpop_proof"
    assert refused(city.refresh(token, generate_key(ES256))) == "invalid_dpop_proof"
    assert city.refresh(token, key).status_code == 200


def test_token_expires_and_its_end_is_not_put_off(city: Refreshing) -> None:
    key = generate_key(ES256)
    token = city.first(key)["refresh_token"]
    city.world.clock.advance(seconds=29 * DAY_S)
    assert city.refresh(token, key).status_code == 200
    city.world.clock.advance(seconds=DAY_S)
    assert refused(city.refresh(token, key)) == "invalid_grant"
    city.world.store.purge(city.world.clock())
    assert refused(city.refresh(token, key)) == "invalid_grant"


def test_store_cannot_read_what_a_token_is_good_for(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, refresh_days=30)
    city = Refreshing(world)
    first = city.first()
    city.issue(first)
    second = answer_of(city.refresh(first["refresh_token"]))
    held = world.bytes_at_rest()
    for value in (RESIDENT["address"], RESIDENT["name"], second["refresh_token"]):
        assert value.encode() not in held
    world.store.close()


@pytest.mark.parametrize("end", ["revoke", "suspend"])
def test_operator_ends_it_with_a_credential_that_came_of_it(city: Refreshing, end: str) -> None:
    key = generate_key(ES256)
    first = city.first()
    token = city.first(key)["refresh_token"]
    city.issue(first)
    (record,) = city.records()
    assert city.world.operator(f"/credentials/{record['record']}/{end}").status_code == 200
    assert refused(city.refresh(first["refresh_token"])) == "invalid_grant"
    # Another grant's is as good as before.
    assert city.refresh(token, key).status_code == 200
    if end == "suspend":
        reinstated = city.world.operator(f"/credentials/{record['record']}/reinstate")
        assert reinstated.status_code == 200
        assert city.refresh(first["refresh_token"]).status_code == 200


def test_revocation_ends_the_access_tokens_of_the_grant_too(city: Refreshing) -> None:
    first = city.first()
    city.issue(first)
    second = answer_of(city.refresh(first["refresh_token"]))
    (record,) = city.records()
    city.world.operator(f"/credentials/{record['record']}/revoke")
    proof = city.world.proof(generate_key(), city.world.nonce())
    assert city.world.request_credential(second["access_token"], proof).status_code == 401


def test_while_a_credential_is_suspended_its_grants_access_tokens_give_nothing(
    city: Refreshing,
) -> None:
    first = city.first()
    city.issue(first)
    second = answer_of(city.refresh(first["refresh_token"]))
    (record,) = city.records()
    city.world.operator(f"/credentials/{record['record']}/suspend")
    proof = city.world.proof(generate_key(), city.world.nonce())
    answer = city.world.request_credential(second["access_token"], proof)
    assert refused(answer) == "credential_request_denied"
    assert len(city.records()) == 1
    city.world.operator(f"/credentials/{record['record']}/reinstate")
    assert city.issue(second)


def test_rfc9396_6_token_reaches_no_further_than_its_grant(city: Refreshing) -> None:
    def named(name: str) -> str:
        return encode_json([details_of(name)]).decode()

    first = city.first(authorization_details=named("resident_ldp_vc"))
    (granted,) = first["authorization_details"]
    assert granted["credential_configuration_id"] == "resident_ldp_vc"
    other = city.refresh(first["refresh_token"], authorization_details=named("resident"))
    assert refused(other) == "invalid_authorization_details"
    again = answer_of(city.refresh(first["refresh_token"]))
    assert again["authorization_details"] == first["authorization_details"]


@pytest.mark.parametrize("token", [None, "", "x" * 129, "unknown"], ids=str)
def test_rfc6749_5_2_bad_token_is_refused(city: Refreshing, token: str | None) -> None:
    form = {"grant_type": "refresh_token"} | ({} if token is None else {"refresh_token": token})
    code = refused(city.world.http.post("/token", data=form))
    assert code == ("invalid_grant" if token == "unknown" else "invalid_request")


def test_metadata_names_the_grant(city: Refreshing, tmp_path: Path) -> None:
    def grants(world: IssuerWorld) -> list[str]:
        path = "/.well-known/oauth-authorization-server"
        found: list[str] = world.http.get(path).get_json()["grant_types_supported"]
        return found

    assert "refresh_token" in grants(city.world)
    (tmp_path / "other").mkdir()
    other = IssuerWorld(tmp_path / "other")
    assert "refresh_token" not in grants(other)
    strict = Refreshing(other)
    assert "refresh_token" not in strict.first()
    assert refused(strict.refresh("x")) == "unsupported_grant_type"
    other.store.close()


def test_what_has_to_be_approved_is_had_once(city: Refreshing) -> None:
    made = city.world.operator("/offers", {"attributes": RESIDENT, "review": True}).get_json()
    answer = city.world.redeem(city.world.code_of(made), made["tx_code"])
    assert "refresh_token" not in answer_of(answer)


def test_rfc6749_4_1_2_code_used_twice_ends_its_refresh_token(city: Refreshing) -> None:
    wallet = Authorizing(city.world, dpop_key=generate_key(ES256))
    code = wallet.code()
    token = answer_of(wallet.token(code))["refresh_token"]
    assert city.refresh(token, wallet.dpop_key).status_code == 200
    assert refused(wallet.token(code)) == "invalid_grant"
    assert refused(city.refresh(token, wallet.dpop_key)) == "invalid_grant"


def test_rfc6749_6_token_is_its_clients(tmp_path: Path) -> None:
    """A wallet that its provider vouched for keeps showing that."""
    authority = Authority(1_800_000_000_000)
    (tmp_path / "providers.pem").write_bytes(authority.pem)
    world = IssuerWorld(tmp_path, refresh_days=30, wallet_providers_file=tmp_path / "providers.pem")
    provider = WalletProvider(authority)
    wallet = Authorizing(world, attestation=provider.attest(), dpop_key=generate_key(ES256))
    token = answer_of(wallet.token(wallet.code()))["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token}

    def refresh(attested: dict[str, str]) -> TestResponse:
        return world.http.post("/token", data=form, headers={**attested, **wallet.dpop("/token")})

    assert refused(refresh({})) == "invalid_grant"
    other = WalletProvider(authority, client_id="https://other.example")
    assert refused(refresh(wallet.attested(other.attest()))) == "invalid_grant"
    # Of the same provider, but another instance.
    assert refused(refresh(wallet.attested(provider.attest()))) == "invalid_grant"
    assert refresh(wallet.attested()).status_code == 200
    world.store.close()


def test_revocation_at_the_same_moment_leaves_no_token_behind(
    city: Refreshing, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = generate_key(ES256)
    token = city.first(key)["refresh_token"]
    tokens = city.world.store.refresh_tokens
    found = tokens.find

    def end_after(*arguments: Any) -> Any:
        row = found(*arguments)
        assert row is not None
        tokens.end(row.grant_id)
        return row

    monkeypatch.setattr(tokens, "find", end_after)
    assert refused(city.refresh(token, key)) == "invalid_grant"


def test_of_two_uses_at_once_one_is_taken(
    city: Refreshing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found the token unused; the second sees what the first has done."""
    first = city.first()
    tokens = city.world.store.refresh_tokens
    rotate: Callable[..., bool] = tokens.rotate
    racing: list[TestResponse] = []

    def rotate_late(*arguments: Any) -> bool:
        monkeypatch.setattr(tokens, "rotate", rotate)
        racing.append(city.refresh(first["refresh_token"]))
        return rotate(*arguments)

    monkeypatch.setattr(tokens, "rotate", rotate_late)
    assert refused(city.refresh(first["refresh_token"])) == "invalid_grant"
    second = answer_of(racing[0])
    assert refused(city.refresh(second["refresh_token"])) == "invalid_grant"
