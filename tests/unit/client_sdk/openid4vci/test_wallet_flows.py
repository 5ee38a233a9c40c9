"""The wallet at a real issuer, over HTTP: each flow of OpenID4VCI 1.0 and HAIP 1.0."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from support.authorizing import answer_page
from support.issuer_world import RESIDENT, START_MS, IssuerWorld
from support.odd_issuer import NOW_MS, OddIssuer, answered, odd_issuer
from support.resident_wallet import served_issuer
from support.wallet_provider import Authority, WalletProvider
from werkzeug import Request, Response

from client_sdk.credentials.jose import ES256, Key, export_public_jwk, generate_key, parse_compact
from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.errors import (
    HolderBindingError,
    IssuanceDeferredError,
    IssuerRefusedError,
    OfferError,
    TransportError,
)
from client_sdk.http.client import HttpClient
from client_sdk.openid4vci.authorization_client import (
    StartedAuthorization,
    begin_authorization,
    finish_authorization,
)
from client_sdk.openid4vci.client import (
    collect_credentials,
    notify_issuer,
    request_credentials,
)
from client_sdk.openid4vci.credential_offer import AuthorizationCodeGrant, parse_offer_link
from client_sdk.openid4vci.issuer_channel import NO_PROOFS, WalletProofs
from client_sdk.openid4vci.token_client import AcceptedOffer, fetch_offer, redeem_offer

BACK = "http://127.0.0.1:9/callback"
NOW_S = NOW_MS // 1000


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(timeout_s=5)
    yield client
    client.close()


def issuer(folder: Path, **settings: Any) -> AbstractContextManager[IssuerWorld]:
    return served_issuer(lambda url: IssuerWorld(folder, public_url=url, **settings))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    with issuer(tmp_path) as made:
        yield made


def proofs_at(world: IssuerWorld, **more: Any) -> WalletProofs:
    return WalletProofs(now_s=world.clock() // 1000, **more)


def accept(world: IssuerWorld, http: HttpClient, **more: Any) -> AcceptedOffer:
    made = world.make_offer()
    offer = fetch_offer(made["link"], http=http)
    return redeem_offer(offer, tx_code=made["tx_code"], http=http, **more)


# The issuer's service


def test_batch_of_keys_is_had_at_once(world: IssuerWorld, http: HttpClient) -> None:
    keys = [generate_key(ES256) for _ in range(3)]
    issued = request_credentials(
        accept(world, http), holder_keys=keys, now_ms=world.clock(), http=http
    )
    bound = [parse_credential(c.text).unverified_claims["cnf"] for c in issued.credentials]
    assert bound == [{"jwk": export_public_jwk(key)} for key in keys]
    with pytest.raises(OfferError, match="keys at once"):
        request_credentials(
            accept(world, http), holder_keys=keys * 4, now_ms=world.clock(), http=http
        )


def test_deferred_credential_is_collected_and_told_of(world: IssuerWorld, http: HttpClient) -> None:
    body = {"attributes": RESIDENT, "review": True}
    made = world.operator("/offers", body).get_json()
    offer = fetch_offer(made["link"], http=http)
    accepted = redeem_offer(offer, tx_code=made["tx_code"], http=http)
    keys, now_ms = [generate_key()], world.clock()
    with pytest.raises(IssuanceDeferredError) as deferred:
        request_credentials(accepted, holder_keys=keys, now_ms=now_ms, http=http)
    transaction_id = deferred.value.transaction_id
    assert deferred.value.interval_s > 0
    with pytest.raises(IssuanceDeferredError):
        collect_credentials(accepted, transaction_id, holder_keys=keys, now_ms=now_ms, http=http)
    world.operator("/reviews/decide", {"code": made["review_code"], "decision": "approve"})
    issued = collect_credentials(
        accepted, transaction_id, holder_keys=keys, now_ms=now_ms, http=http
    )
    assert issued.notification_id is not None
    notify_issuer(accepted, issued.notification_id, "credential_accepted", now_ms=now_ms, http=http)
    (listed,) = world.operator("/credentials", method="GET").get_json()["credentials"]
    assert listed["event"] == "credential_accepted"
    with pytest.raises(IssuerRefusedError) as refused:
        notify_issuer(accepted, "other", "credential_deleted", now_ms=now_ms, http=http)
    assert refused.value.code == "invalid_notification_id"


def test_issuer_that_demands_encryption_gets_it(tmp_path: Path, http: HttpClient) -> None:
    with issuer(tmp_path, encryption_required=True) as world:
        issued = request_credentials(
            accept(world, http), holder_keys=[generate_key()], now_ms=world.clock(), http=http
        )
        assert issued.credentials[0].record_id


def test_token_is_bound_where_the_wallet_has_a_key(world: IssuerWorld, http: HttpClient) -> None:
    accepted = accept(world, http, proofs=proofs_at(world, dpop_key=generate_key(ES256)))
    assert accepted.dpop_key is not None
    issued = request_credentials(
        accepted, holder_keys=[generate_key()], now_ms=world.clock(), http=http
    )
    assert issued.credentials


@pytest.mark.parametrize("by_scope", [True, False])
def test_offer_leads_to_the_issuers_page(
    world: IssuerWorld, http: HttpClient, by_scope: bool
) -> None:
    made, proofs = world.make_offer(), proofs_at(world)
    offer = fetch_offer(made["link"], http=http)
    started = begin_authorization(
        offer, redirect_uri=BACK, by_scope=by_scope, proofs=proofs, http=http
    )
    back = answer_page(started.url, tx_code=made["tx_code"])
    accepted = finish_authorization(started, back, proofs=proofs, http=http)
    assert ("credential_identifier" in accepted.wanted) is not by_scope
    assert request_credentials(
        accepted, holder_keys=[generate_key()], now_ms=world.clock(), http=http
    ).credentials
    for secret in (started.pending.state, started.pending.verifier, started.url):
        assert secret not in repr(started)


def test_wallet_begins_and_the_holder_types_the_authentication_code(
    world: IssuerWorld, http: HttpClient
) -> None:
    made, proofs = world.make_offer(), proofs_at(world)
    started = begin_authorization(
        world.config.public_url, redirect_uri=BACK, proofs=proofs, http=http
    )
    back = answer_page(started.url, authentication_code=made["authentication_code"])
    assert finish_authorization(started, back, proofs=proofs, http=http).token


def test_holder_declines_at_the_page(world: IssuerWorld, http: HttpClient) -> None:
    proofs = proofs_at(world)
    started = begin_authorization(
        world.config.public_url, redirect_uri=BACK, proofs=proofs, http=http
    )
    back = answer_page(started.url, decision="deny")
    with pytest.raises(IssuerRefusedError) as refused:
        finish_authorization(started, back, proofs=proofs, http=http)
    assert refused.value.code == "access_denied"


def test_haip_whole_flow_with_challenge_and_nonces(tmp_path: Path, http: HttpClient) -> None:
    authority = Authority(START_MS)
    (tmp_path / "providers.pem").write_bytes(authority.pem)
    with issuer(tmp_path, haip=True, wallet_providers_file=tmp_path / "providers.pem") as world:
        proofs = proofs_at(
            world,
            dpop_key=generate_key(ES256),
            attestation=WalletProvider(authority).attest(),
        )
        made = world.make_offer()
        offer = fetch_offer(made["link"], http=http)
        started = begin_authorization(
            offer, redirect_uri="https://wallet.example/cb", proofs=proofs, http=http
        )
        back = answer_page(started.url, tx_code=made["tx_code"])
        accepted = finish_authorization(started, back, proofs=proofs, http=http)
        issued = request_credentials(
            accepted, holder_keys=[generate_key(ES256)], now_ms=world.clock(), http=http
        )
        assert issued.credentials
        with pytest.raises(IssuerRefusedError) as refused:
            accept(world, http)
        assert refused.value.code == "invalid_client"


# RFC 6749 and 9207: the answer that the browser comes back with


@pytest.fixture
def odd() -> Iterator[OddIssuer]:
    with odd_issuer() as made:
        made.server["authorization_endpoint"] = f"{made.url}/authorize"
        made.server["authorization_response_iss_parameter_supported"] = True
        yield made


def begun(odd: OddIssuer, http: HttpClient) -> StartedAuthorization:
    link = odd.offer(pre_authorized_code=None, authorization_code=AuthorizationCodeGrant())
    offer = parse_offer_link(link)
    return begin_authorization(offer, redirect_uri=BACK, proofs=NO_PROOFS, http=http)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"state": "other"}, "state"),
        ({"state": None}, "state"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"code": None}, "no code"),
    ],
)
def test_rfc9207_2_4_answer_of_another_server_or_request_is_refused(
    odd: OddIssuer, http: HttpClient, changes: dict[str, str | None], match: str
) -> None:
    started = begun(odd, http)
    whole = {"code": "c", "state": started.pending.state, "iss": odd.url, **changes}
    query = "&".join(f"{name}={value}" for name, value in whole.items() if value is not None)
    with pytest.raises(OfferError, match=match):
        finish_authorization(started, f"{BACK}?{query}", proofs=NO_PROOFS, http=http)
    assert not any(request.path == "/token" for request in odd.requests)


def test_8414_3_3_metadata_of_another_server_stops_the_flow(
    odd: OddIssuer, http: HttpClient
) -> None:
    odd.server["issuer"] = "https://other.example"
    with pytest.raises(OfferError, match="another server"):
        begun(odd, http)


# The token's and the resource's answers


def bound(odd: OddIssuer, http: HttpClient) -> AcceptedOffer:
    odd.server["dpop_signing_alg_values_supported"] = ["ES256"]
    proofs = WalletProofs(now_s=NOW_S, dpop_key=generate_key(ES256))
    offer = parse_offer_link(odd.offer())
    return redeem_offer(offer, tx_code=None, proofs=proofs, http=http)


def issue(odd: OddIssuer, http: HttpClient, accepted: AcceptedOffer, *keys: Key) -> Any:
    keys = keys or (generate_key(),)
    return request_credentials(accepted, holder_keys=keys, now_ms=NOW_MS, http=http)


@pytest.mark.parametrize("kind", ["DPoP", "dPOP"])
def test_rfc6749_5_1_token_type_is_not_case_sensitive(
    odd: OddIssuer, http: HttpClient, kind: str
) -> None:
    odd.token["token_type"] = kind
    assert "expires_in" not in odd.token
    issue(odd, http, bound(odd, http))
    (request,) = (r for r in odd.requests if r.path == "/credential")
    assert request.headers["Authorization"] == "DPoP t0ken"
    assert request.headers["DPoP"]


def test_rfc9449_5_bearer_answer_to_a_proof_is_refused(odd: OddIssuer, http: HttpClient) -> None:
    with pytest.raises(OfferError, match="DPoP"):
        bound(odd, http)


def test_rfc9449_8_and_9_nonces_are_answered_once(odd: OddIssuer, http: HttpClient) -> None:
    odd.token["token_type"] = "DPoP"

    def wants(right: Any, status: int) -> Any:
        def answer(request: Request) -> Response:
            payload = parse_compact(request.headers["DPoP"]).unverified_payload
            if payload.get("nonce") == "n":
                done: Response = right(request)
                return done
            return answered(
                {"error": "use_dpop_nonce"} if status == 400 else {},
                status,
                **{"DPoP-Nonce": "n", "WWW-Authenticate": 'dpop error="use_dpop_nonce"'},
            )

        return answer

    odd.answers["/token"] = wants(odd._right_answer, 400)
    odd.answers["/credential"] = wants(odd._right_answer, 401)
    assert issue(odd, http, bound(odd, http)).credentials
    assert sum(request.path == "/token" for request in odd.requests) == 2
    odd.answers["/token"] = lambda _request: answered(
        {"error": "use_dpop_nonce"}, 400, **{"DPoP-Nonce": "m"}
    )
    with pytest.raises(IssuerRefusedError, match="use_dpop_nonce"):
        bound(odd, http)


def plainly(odd: OddIssuer, http: HttpClient) -> AcceptedOffer:
    return redeem_offer(parse_offer_link(odd.offer()), tx_code=None, http=http)


def test_8_3_batch_comes_in_any_order(odd: OddIssuer, http: HttpClient) -> None:
    odd.metadata["batch_credential_issuance"] = {"batch_size": 10}
    keys = [generate_key() for _ in range(4)]

    def reversed_batch(_request: Request) -> Response:
        made = []
        for number, key in enumerate(reversed(keys)):
            odd.bound_to, odd.place = key, {"issuer": "city@issuer", "record": f"{number:032x}"}
            made.append({"credential": odd.credential_for(key)})
        return answered({"credentials": made})

    odd.answers["/credential"] = reversed_batch
    issued = issue(odd, http, plainly(odd, http), *keys)
    bound_to = [parse_credential(c.text).unverified_claims["cnf"] for c in issued.credentials]
    assert bound_to == [{"jwk": export_public_jwk(key)} for key in keys]
    one = odd.credential_for(keys[0])
    for answer in (
        [{"credential": one}, {"credential": one}],
        [{"credential": odd.credential_for(generate_key())}],
    ):
        odd.answers["/credential"] = lambda _request, a=answer: answered({"credentials": a})
        with pytest.raises(HolderBindingError):
            issue(odd, http, plainly(odd, http), *keys)
    odd.answers["/credential"] = lambda _request: answered(
        {"credentials": [{"credential": one}] * 5}
    )
    with pytest.raises(TransportError, match="more credentials"):
        issue(odd, http, plainly(odd, http), *keys)


def test_10_plain_answer_to_an_encrypted_request_is_refused(
    tmp_path: Path, odd: OddIssuer, http: HttpClient
) -> None:
    source = IssuerWorld(tmp_path)
    published = source.http.get("/.well-known/openid-credential-issuer").get_json()
    source.store.close()
    for name in ("credential_request_encryption", "credential_response_encryption"):
        odd.metadata[name] = published[name]
    odd.answers["/credential"] = lambda _request: answered({"credentials": [{"credential": "x"}]})
    with pytest.raises(TransportError, match="not encrypted"):
        issue(odd, http, plainly(odd, http))
    (request,) = (r for r in odd.requests if r.path == "/credential")
    assert request.mimetype == "application/jwt"


def test_10_encryption_that_is_not_known_is_not_skipped(odd: OddIssuer, http: HttpClient) -> None:
    odd.metadata["credential_response_encryption"] = {
        "alg_values_supported": ["RSA-OAEP-256"],
        "enc_values_supported": ["A256GCM"],
        "encryption_required": True,
    }
    with pytest.raises(OfferError, match="encryption"):
        issue(odd, http, plainly(odd, http))
    assert not any(request.path == "/credential" for request in odd.requests)
