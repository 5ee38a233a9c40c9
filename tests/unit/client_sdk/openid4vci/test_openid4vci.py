import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.issuer_world import ISSUER, RESIDENT, IssuerWorld
from support.odd_issuer import NOW_MS, OddIssuer, answered, odd_issuer, served
from support.presentation_world import key_of_account
from support.resident_wallet import served_issuer
from werkzeug import Response

from chaincode.records import BatchRecord
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    generate_key,
)
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.errors import (
    ClientError,
    CredentialFormatError,
    HolderBindingError,
    IssuerRefusedError,
    OfferError,
    SignatureError,
    TransportError,
)
from client_sdk.formats import FORMATS, attributes_of, find_format
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account
from client_sdk.openid4vci.account_client import register_account
from client_sdk.openid4vci.account_enrolment import account_name
from client_sdk.openid4vci.client import receive_credential, request_credential
from client_sdk.openid4vci.credential_offer import (
    OfferReference,
    TransactionCode,
    build_offer_link,
    parse_offer_link,
)
from client_sdk.openid4vci.issuer_metadata import build_key_metadata
from client_sdk.openid4vci.received_credential import ReceivedCredential
from client_sdk.openid4vci.token_client import fetch_offer, redeem_offer


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(timeout_s=5)
    yield client
    client.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    with served_issuer(lambda url: IssuerWorld(tmp_path, public_url=url)) as world:
        yield world


def receive(
    world: IssuerWorld, http: HttpClient, offer: dict[str, Any], key: Key, tx_code: str | None
) -> ReceivedCredential:
    return receive_credential(
        offer["link"], tx_code=tx_code, holder_key=key, now_ms=world.clock(), http=http
    )


# With the issuer's service


@pytest.mark.parametrize("name", FORMATS)
def test_wallet_receives_every_format(world: IssuerWorld, http: HttpClient, name: str) -> None:
    key, offer = generate_key(), world.make_offer()
    received = receive_credential(
        offer["link"],
        tx_code=offer["tx_code"],
        holder_key=key,
        credential_format=name,
        now_ms=world.clock(),
        http=http,
    )
    read = find_format(name).read(received.text)
    assert (received.format, received.credential_type) == (name, RESIDENT_CREDENTIAL_TYPE)
    assert attributes_of(read)["name"] == RESIDENT["name"]
    assert read.holder_key == export_public_jwk(key)
    assert received.inclusion is not None
    batch = world.ledger.client(ISSUER).record(ISSUER, received.inclusion.batch, BatchRecord)
    assert batch is not None
    received.inclusion.check(read.anchored_hash, batch)


def test_wallet_refuses_a_format_that_is_not_offered(world: IssuerWorld, http: HttpClient) -> None:
    offer = world.make_offer()
    with pytest.raises(OfferError, match=r"format mso_mdoc; it has: dc\+sd-jwt, .*ldp_vc"):
        receive_credential(
            offer["link"],
            tx_code=offer["tx_code"],
            holder_key=generate_key(),
            credential_format="mso_mdoc",
            now_ms=world.clock(),
            http=http,
        )


def test_wallet_receives_what_the_counter_offers(world: IssuerWorld, http: HttpClient) -> None:
    key, offer = generate_key(), world.make_offer()
    received = receive(world, http, offer, key, offer["tx_code"])

    held = parse_credential(received.text)
    assert held.unverified_claims["name"] == RESIDENT["name"]
    assert held.unverified_claims["cnf"] == {"jwk": export_public_jwk(key)}
    assert received.credential_type == RESIDENT_CREDENTIAL_TYPE
    assert (received.issuer, received.ledger_id) == (ISSUER, world.ledger_id)
    assert received.account is None
    assert received.inclusion is not None
    record = world.ledger.client(ISSUER).record(ISSUER, received.inclusion.batch, BatchRecord)
    assert record is not None
    assert record.expires_at_ms >= received.expires_at_ms
    assert received.text not in repr(received)


def test_credential_names_the_account_that_the_wallet_names(
    world: IssuerWorld, http: HttpClient
) -> None:
    account_key, offer, account = AccountKey.generate(), world.make_offer(), "h4f2@holder"
    world.ledger.submit("admin@tegata", create_account(account, account_key.public_key))
    received = receive_credential(
        offer["link"],
        tx_code=offer["tx_code"],
        holder_key=key_of_account(account_key),
        account=account,
        now_ms=world.clock(),
        http=http,
    )
    assert received.account == account
    assert parse_credential(received.text).unverified_claims["tegata"]["account"] == account


def test_offer_can_be_looked_at_first(world: IssuerWorld, http: HttpClient) -> None:
    made = world.make_offer()
    offer = fetch_offer(made["link"], http=http)
    assert offer.credential_issuer == world.config.public_url
    assert offer.transaction_code is not None
    assert offer.transaction_code.length == 6
    receive(world, http, made, generate_key(), made["tx_code"])
    with pytest.raises(IssuerRefusedError) as caught:
        fetch_offer(made["link"], http=http)
    assert caught.value.code == "no_such_offer"
    assert made["id"] not in str(caught.value)


def test_wrong_transaction_code_is_told_by_its_code(world: IssuerWorld, http: HttpClient) -> None:
    offer = world.make_offer()
    code = world.code_of(offer)
    with pytest.raises(IssuerRefusedError, match="transaction code") as caught:
        receive(world, http, offer, generate_key(), "wrong!")
    assert caught.value.code == "invalid_grant"
    assert "wrong!" not in str(caught.value)
    assert code not in str(caught.value)


@pytest.mark.parametrize("tx_code", [None, ""])
def test_missing_transaction_code_is_not_even_sent(
    world: IssuerWorld, http: HttpClient, tx_code: str | None
) -> None:
    offer = world.make_offer()
    with pytest.raises(OfferError, match="transaction code"):
        receive(world, http, offer, generate_key(), tx_code)
    assert receive(world, http, offer, generate_key(), offer["tx_code"]).record_id


def test_accepted_offer_waits_for_an_unreachable_ledger(
    world: IssuerWorld, http: HttpClient
) -> None:
    made, key = world.make_offer(), generate_key()
    accepted = redeem_offer(
        fetch_offer(made["link"], http=http), tx_code=made["tx_code"], http=http
    )
    assert accepted.token not in repr(accepted)
    world.ledger.reachable = False
    with pytest.raises(TransportError, match="503"):
        request_credential(accepted, holder_key=key, now_ms=world.clock(), http=http)
    world.ledger.reachable = True
    received = request_credential(accepted, holder_key=key, now_ms=world.clock(), http=http)
    again = request_credential(accepted, holder_key=key, now_ms=world.clock(), http=http)
    assert again == received


def test_account_is_registered_and_asked_for_again(world: IssuerWorld, http: HttpClient) -> None:
    key, code = AccountKey.generate(), world.enrolment_code()
    url = world.config.public_url
    account = register_account(url, enrolment_code=code, key=key, http=http)
    again = register_account(f"{url}/", enrolment_code=code, key=key, http=http)
    assert again == account
    assert (account.ledger_id, account.issuer_account) == (world.ledger_id, ISSUER)
    assert world.ledger.client(ISSUER).signatories(account.account_id) == {key.public_key}


def test_used_enrolment_code_is_refused(world: IssuerWorld, http: HttpClient) -> None:
    code, url = world.enrolment_code(), world.config.public_url
    register_account(url, enrolment_code=code, key=AccountKey.generate(), http=http)
    with pytest.raises(IssuerRefusedError) as caught:
        register_account(url, enrolment_code=code, key=AccountKey.generate(), http=http)
    assert caught.value.code == "invalid_enrolment"
    assert code not in str(caught.value)


@pytest.mark.parametrize("code", ["", "x" * 200, "é"])
def test_impossible_enrolment_code_is_refused_here(
    world: IssuerWorld, http: HttpClient, code: str
) -> None:
    with pytest.raises(OfferError, match="enrolment code"):
        register_account(
            world.config.public_url, enrolment_code=code, key=AccountKey.generate(), http=http
        )


def test_account_names_follow_from_code_and_key_alone() -> None:
    first, second = AccountKey.generate().public_key, AccountKey.generate().public_key
    names = {account_name("A", first), account_name("B", first), account_name("A", second)}
    assert len(names) == 3
    assert account_name("A", first) == account_name("A", first)
    assert all(len(name) == 32 for name in names)


# With an issuer that does other things


@pytest.fixture
def odd() -> Iterator[OddIssuer]:
    with odd_issuer() as issuer:
        yield issuer


def accept(
    odd: OddIssuer, http: HttpClient, tx_code: str | None = None, **changes: Any
) -> ReceivedCredential:
    return receive_credential(
        odd.offer(**changes),
        tx_code=tx_code,
        holder_key=generate_key(),
        now_ms=NOW_MS,
        http=http,
    )


def test_right_answers_are_accepted(odd: OddIssuer, http: HttpClient) -> None:
    received = accept(odd, http, tx_code="ignored, since the offer asks for none")
    assert (received.issuer, received.record_id) == ("city@issuer", "ab" * 16)
    token_request = next(r for r in odd.requests if r.path == "/token")
    assert dict(token_request.form) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        "pre-authorized_code": "c0de-of-the-offer",
    }
    (request,) = (r for r in odd.requests if r.path == "/credential")
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert json.loads(request.get_data()).keys() == {"credential_configuration_id", "proofs"}


def test_transaction_code_is_sent_where_it_is_asked_for(odd: OddIssuer, http: HttpClient) -> None:
    accept(odd, http, tx_code="1234", transaction_code=TransactionCode())
    token_request = next(r for r in odd.requests if r.path == "/token")
    assert token_request.form["tx_code"] == "1234"


def test_credential_identifier_is_used_where_the_token_names_one(
    odd: OddIssuer, http: HttpClient
) -> None:
    odd.token["authorization_details"] = [
        {"type": "other"},
        {
            "type": "openid_credential",
            "credential_configuration_id": "resident",
            "credential_identifiers": ["resident-7"],
        },
    ]
    accept(odd, http)
    (request,) = (r for r in odd.requests if r.path == "/credential")
    body = json.loads(request.get_data())
    assert body["credential_identifier"] == "resident-7"
    assert "credential_configuration_id" not in body


def test_proof_has_no_nonce_where_the_issuer_has_none(odd: OddIssuer, http: HttpClient) -> None:
    del odd.metadata["nonce_endpoint"]
    assert accept(odd, http).record_id
    assert not any(request.path == "/nonce" for request in odd.requests)


def test_new_nonce_is_fetched_once_when_one_has_expired(odd: OddIssuer, http: HttpClient) -> None:
    refusals = [answered({"error": "invalid_nonce"}, 400)]
    right = odd._right_answer
    odd.answers["/credential"] = lambda request: refusals.pop() if refusals else right(request)
    assert accept(odd, http).record_id
    assert sum(request.path == "/nonce" for request in odd.requests) == 2

    odd.answers["/credential"] = lambda _request: answered({"error": "invalid_nonce"}, 400)
    with pytest.raises(IssuerRefusedError, match="invalid_nonce"):
        accept(odd, http)
    assert sum(request.path == "/nonce" for request in odd.requests) == 4


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("/.well-known/openid-credential-issuer", answered([]), TransportError),
        ("/.well-known/openid-credential-issuer", answered({}), OfferError),
        ("/.well-known/openid-credential-issuer", answered({}, 404), OfferError),
        ("/.well-known/oauth-authorization-server", answered({"issuer": "x"}), OfferError),
        ("/.well-known/jwt-vc-issuer", answered({"issuer": "x"}), OfferError),
        ("/token", answered({"access_token": 7, "token_type": "bearer"}), TransportError),
        ("/token", answered({"access_token": "a b", "token_type": "bearer"}), TransportError),
        ("/token", answered({"access_token": "a\r\nb", "token_type": "bearer"}), TransportError),
        ("/token", answered({"access_token": "a", "token_type": "DPoP"}), OfferError),
        ("/token", answered({"access_token": "a", "token_type": None}), OfferError),
        ("/token", answered({"error": "invalid_grant"}, 400), IssuerRefusedError),
        ("/token", answered({"error": ["x"]}, 400), IssuerRefusedError),
        ("/token", Response("<html>", 400), IssuerRefusedError),
        ("/token", Response("<html>", 500), TransportError),
        ("/token", Response("<html>", 200), TransportError),
        ("/token", Response(b"", 302, {"Location": "https://evil.example/"}), TransportError),
        ("/token", Response(b" " * (5 * 1024 * 1024), 200), TransportError),
        ("/nonce", answered({}), TransportError),
        ("/nonce", answered({"c_nonce": "x" * 2000}), TransportError),
        ("/credential", answered({"transaction_id": "x", "interval": 5}, 202), OfferError),
        ("/credential", answered({"transaction_id": "x"}, 202), TransportError),
        ("/credential", answered({"transaction_id": "x", "interval": 0}, 202), TransportError),
        ("/credential", answered({"credentials": []}), TransportError),
        ("/credential", answered({"credentials": [{"credential": {}}]}), TransportError),
        ("/credential", answered({"credentials": [{"credential": "x"}]}), CredentialFormatError),
        ("/credential", answered({"error": "credential_request_denied"}, 400), IssuerRefusedError),
    ],
)
def test_wrong_answer_is_refused(
    odd: OddIssuer, http: HttpClient, path: str, answer: Response, error: type[ClientError]
) -> None:
    odd.answers[path] = lambda _request: answer
    with pytest.raises(error) as caught:
        accept(odd, http)
    for secret in ("c0de-of-the-offer", "t0ken", "n0nce"):
        assert secret not in str(caught.value)


def test_issuers_description_is_not_repeated(odd: OddIssuer, http: HttpClient) -> None:
    told = {"error": "invalid_grant", "error_description": "c0de-of-the-offer is wrong"}
    odd.answers["/token"] = lambda _request: answered(told, 400)
    with pytest.raises(IssuerRefusedError) as caught:
        accept(odd, http)
    assert "c0de-of-the-offer" not in str(caught.value)
    assert caught.value.code == "invalid_grant"


def test_credential_for_another_key_is_refused(odd: OddIssuer, http: HttpClient) -> None:
    odd.bound_to = generate_key()
    with pytest.raises(HolderBindingError):
        accept(odd, http)


def test_credential_of_another_issuer_is_refused(odd: OddIssuer, http: HttpClient) -> None:
    odd.issuer = "https://other.example"
    with pytest.raises(CredentialFormatError, match="iss"):
        accept(odd, http)


def test_credential_signed_by_another_key_is_refused(odd: OddIssuer, http: HttpClient) -> None:
    published = build_key_metadata(odd.url, (odd.signing_key,))
    odd.answers["/.well-known/jwt-vc-issuer"] = lambda _request: answered(published)
    odd.signing_key = generate_key()
    with pytest.raises(SignatureError):
        accept(odd, http)
    odd.kid = "another"
    with pytest.raises(OfferError, match="not published"):
        accept(odd, http)


@pytest.mark.parametrize(
    "place", [None, {}, {"issuer": "city@issuer"}, {"issuer": "x", "record": "ab" * 16}, "text"]
)
def test_credential_without_a_place_on_a_ledger_is_refused(
    odd: OddIssuer, http: HttpClient, place: object
) -> None:
    odd.place = place
    with pytest.raises(CredentialFormatError, match="record"):
        accept(odd, http)


def test_offer_of_formats_that_are_not_known_is_refused(odd: OddIssuer, http: HttpClient) -> None:
    with pytest.raises(OfferError, match="format"):
        accept(odd, http, configuration_ids=("driver",))


def test_authorization_server_must_be_one_of_the_issuers(odd: OddIssuer, http: HttpClient) -> None:
    with pytest.raises(OfferError, match="authorization_server"):
        accept(odd, http, authorization_server="https://evil.example")
    assert not any(request.path == "/token" for request in odd.requests)


def test_issuer_that_is_away_is_a_transport_error(http: HttpClient) -> None:
    with served(lambda _environ, _start: []) as url:
        pass
    reference = OfferReference(uri=f"{url}/offers/secret-id")
    with pytest.raises(TransportError) as caught:
        fetch_offer(build_offer_link(reference), http=http)
    assert "secret-id" not in str(caught.value)
    assert url.removeprefix("http://") in str(caught.value)


def test_service_without_accounts_is_told(odd: OddIssuer, http: HttpClient) -> None:
    with pytest.raises(OfferError, match="no accounts"):
        register_account(odd.url, enrolment_code="A", key=AccountKey.generate(), http=http)


@pytest.mark.parametrize("changes", [{"account_id": "other@holder"}, {"ledger_id": "cd" * 32}])
def test_answer_about_another_account_is_refused(
    odd: OddIssuer, http: HttpClient, changes: dict[str, str]
) -> None:
    odd.metadata["tegata"] = {
        "accounts_endpoint": f"{odd.url}/accounts",
        "holder_domain": "holder",
        "ledger": "ab" * 32,
        "issuer": "city@issuer",
    }
    key = AccountKey.generate()
    right = {
        "account_id": f"{account_name('A', key.public_key)}@holder",
        "ledger_id": "ab" * 32,
        "issuer_account": "city@issuer",
    }
    odd.answers["/accounts"] = lambda _request: answered(right, 201)
    account = register_account(odd.url, enrolment_code="A", key=key, http=http)
    assert account.account_id == right["account_id"]
    odd.answers["/accounts"] = lambda _request: answered({**right, **changes}, 201)
    with pytest.raises(TransportError, match="another account"):
        register_account(odd.url, enrolment_code="A", key=key, http=http)


def test_issuer_url_must_be_safe(http: HttpClient) -> None:
    with pytest.raises(OfferError, match="https"):
        register_account(
            "http://issuer.example", enrolment_code="A", key=AccountKey.generate(), http=http
        )


def test_link_by_value_needs_no_fetch(odd: OddIssuer, http: HttpClient) -> None:
    link = odd.offer()
    assert fetch_offer(link, http=http) == parse_offer_link(link)
    assert odd.requests == []
