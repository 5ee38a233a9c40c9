"""A wallet in a town of real processes, and with a verifier that does what it should not."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.http_stand import HttpStand, Reply, json_reply
from support.resident_wallet import PASSPHRASE, resident_wallet
from support.verifier_stand import VerifierStand

from chaincode.encoding import JsonObject
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE, ResidentAttributes
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.errors import (
    ExpiredError,
    IssuerRefusedError,
    KeyFormatError,
    NotRegisteredError,
    OfferError,
    RequestError,
    TransactionFailedError,
    TransportError,
    UnknownCredentialError,
    UnknownGrantError,
    VaultError,
    VaultFormatError,
    WrongPassphraseError,
)
from client_sdk.issuer.client import IssuerClient, MadeOffer
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vci.credential_offer import OfferReference, build_offer_link
from client_sdk.openid4vp.dcql import build_query
from client_sdk.openid4vp.dcql_query import DcqlQuery
from client_sdk.openid4vp.grant_offer import encode_grant_offer
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import StoredGrant
from node.cli.demo.town import Town

pytestmark = pytest.mark.xdist_group("town")

RESIDENT = ResidentAttributes(
    name="手形 太郎",
    address="青葉市緑町 [1-2-3]",
    municipality="青葉市",
    birth_date=date(1980, 12, 24),
    sex="1",
)
NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def city(town: Town) -> Iterator[IssuerClient]:
    with IssuerClient(town.issuer_url, town.operator_token) as client:
        yield client


@pytest.fixture(scope="module")
def ward_office(town: Town) -> Iterator[GatewayClient]:
    with GatewayClient(town.gateway_url, town.api_key) as client:
        yield client


@pytest.fixture(scope="module")
def ledger_id(resident: Wallet) -> str:
    return resident.account.ledger_id


@pytest.fixture
def stand(ledger_id: str) -> Iterator[VerifierStand]:
    with VerifierStand(ledger=ledger_id) as stand:
        yield stand


@pytest.fixture(scope="module")
def resident(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    """A wallet with an account and one credential."""
    file = tmp_path_factory.mktemp("resident") / "wallet"
    with resident_wallet(file, town, RESIDENT) as wallet:
        yield wallet


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Wallet]:
    """A new wallet without account."""
    with create(tmp_path / "empty") as wallet:
        yield wallet


@pytest.fixture
def registered(empty: Wallet, town: Town, city: IssuerClient) -> Wallet:
    """A new wallet with an account."""
    empty.register(town.issuer_url, city.enrol(), torii=town.torii)
    return empty


def create(file: Path, *, trust_anchors: str = "") -> Wallet:
    return Wallet.create(file, PASSPHRASE, trust_anchors=trust_anchors, profile=CHEAPEST)


def receive(wallet: Wallet, offer: MadeOffer) -> str:
    return wallet.issuance.receive(offer.link, tx_code=offer.tx_code).record_id


def file_of(wallet: Wallet) -> Path:
    return wallet._session.file.path


def copy_of(wallet: Wallet, file: Path, **options: Any) -> Wallet:
    """Open a copy of a wallet's file, so that what is done to it leaves the wallet as it is."""
    file.write_bytes(file_of(wallet).read_bytes())
    return Wallet(WalletSession(Vault.open(file, PASSPHRASE), **options))


def with_torii(file: Path, torii: str) -> None:
    """Let the wallet in a file use another ledger node."""

    def change(fields: JsonObject) -> JsonObject:
        contents = WalletContents.from_fields(fields)
        assert contents.account is not None
        return replace(contents, account=replace(contents.account, torii=torii)).to_fields()

    Vault.open(file, PASSPHRASE).update(change)


@contextmanager
def refused_before_anything_is_sent(wallet: Wallet, stand: VerifierStand) -> Iterator[None]:
    before = wallet.grants.made
    yield
    assert wallet.grants.made == before
    assert stand.answers == []


class TestTheFile:
    def test_a_new_wallet_is_empty(self, empty: Wallet) -> None:
        assert empty.credentials == ()
        assert empty.grants.made == ()
        assert len(empty.public_key) == len(AccountKey.generate().public_key)

    def test_it_opens_again_with_the_same_key(self, empty: Wallet) -> None:
        with Wallet.open(file_of(empty), PASSPHRASE) as again:
            assert again.public_key == empty.public_key

    def test_another_passphrase_does_not_open_it(self, empty: Wallet) -> None:
        with pytest.raises(WrongPassphraseError):
            Wallet.open(file_of(empty), PASSPHRASE + "x")

    def test_a_file_is_not_overwritten(self, empty: Wallet) -> None:
        before = file_of(empty).read_bytes()
        with pytest.raises(VaultError, match="exists already"):
            create(file_of(empty))
        assert file_of(empty).read_bytes() == before

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(VaultError, match="cannot be read"):
            Wallet.open(tmp_path / "none", PASSPHRASE)

    def test_a_vault_of_something_else_is_no_wallet(self, tmp_path: Path) -> None:
        for index, contents in enumerate(({}, {"seed": "AAAA"}, {"seed": "A" * 43})):
            fields: JsonObject = {**contents, "trust_anchors": ""}
            vault = Vault.create(tmp_path / str(index), PASSPHRASE, fields, profile=CHEAPEST)
            with pytest.raises(VaultFormatError):
                Wallet(WalletSession(vault))

    def test_trust_anchors_are_certificates(self, tmp_path: Path) -> None:
        with pytest.raises(KeyFormatError):
            create(tmp_path / "wallet", trust_anchors="no certificate")
        assert not (tmp_path / "wallet").exists()

    def test_no_secret_is_shown(self, resident: Wallet, ward_office: GatewayClient) -> None:
        contents = resident._session.contents
        (credential,) = resident.credentials
        pending = resident.presentation.read_request(
            ward_office.ask(["address"], purpose="why").link
        )
        shown = "".join(
            repr(value)
            for value in (
                resident,
                resident._session.file,
                resident._session.file._vault,
                contents,
                credential,
                pending,
                pending.offer,
            )
        )
        secrets = [contents.seed.hex(), repr(contents.seed), credential.text, RESIDENT.address]
        secrets += [d.encoded for d in parse_sd_jwt(credential.text).disclosures]
        assert [secret for secret in secrets if secret in shown] == []
        assert "127.0.0.1" in shown


class TestRegistering:
    def test_without_an_account_nothing_on_the_ledger_can_be_done(
        self, empty: Wallet, stand: VerifierStand
    ) -> None:
        for act in (
            lambda: empty.account,
            lambda: empty.issuance.receive("openid-credential-offer://"),
            lambda: empty.presentation.read_request(stand.ask("address")),
        ):
            with pytest.raises(NotRegisteredError, match="register it first"):
                act()

    def test_a_wallet_has_one_account(
        self, resident: Wallet, town: Town, city: IssuerClient
    ) -> None:
        account = resident.account
        with pytest.raises(OfferError, match="has an account already"):
            resident.register(town.issuer_url, city.enrol(), torii=town.torii)
        assert resident.account == account

    @pytest.mark.parametrize(
        "code", ["", "not-given-out", "AAAA-AAAA-AAAA-AAAA", "コード", "x" * 500]
    )
    def test_a_code_that_was_not_given_out(self, empty: Wallet, town: Town, code: str) -> None:
        with pytest.raises(OfferError) as raised:
            empty.register(town.issuer_url, code, torii=town.torii)
        assert not code or code not in str(raised.value)
        with pytest.raises(NotRegisteredError):
            _ = empty.account

    def test_a_code_is_good_for_one_wallet(
        self, empty: Wallet, tmp_path: Path, town: Town, city: IssuerClient
    ) -> None:
        code = city.enrol()
        empty.register(town.issuer_url, code, torii=town.torii)
        with create(tmp_path / "second") as second, pytest.raises(IssuerRefusedError) as raised:
            second.register(town.issuer_url, code, torii=town.torii)
        assert raised.value.code == "invalid_enrolment"

    @pytest.mark.parametrize("torii", [NOWHERE, "nonsense", "", "no.such.host.invalid:50051"])
    def test_a_mistyped_node_costs_neither_code_nor_wallet(
        self, tmp_path: Path, town: Town, city: IssuerClient, torii: str
    ) -> None:
        code = city.enrol()
        with (
            create(tmp_path / "w") as made,
            Wallet(WalletSession(Vault.open(file_of(made), PASSPHRASE), timeout_s=1)) as wallet,
        ):
            with pytest.raises(TransportError):
                wallet.register(town.issuer_url, code, torii=torii)
            account = wallet.register(town.issuer_url, code, torii=town.torii)
            assert wallet.account == account
            assert account.torii == town.torii

    def test_the_wallet_remembers_who_made_its_account(self, resident: Wallet) -> None:
        assert resident.account.registered_by == "aoba_city@issuer"

    def test_a_node_of_another_ledger(
        self, empty: Wallet, town: Town, city: IssuerClient, ledger_node: Any
    ) -> None:
        code = city.enrol()
        with pytest.raises(OfferError, match="does not know the wallet's account"):
            empty.register(town.issuer_url, code, torii=ledger_node.address)
        empty.register(town.issuer_url, code, torii=town.torii)

    def test_an_issuer_that_cannot_be_reached(self, empty: Wallet, town: Town) -> None:
        with pytest.raises(TransportError):
            empty.register(f"http://{NOWHERE}", "code", torii=town.torii)
        with pytest.raises(OfferError, match="https"):
            empty.register("http://issuer.example", "code", torii=town.torii)


class TestReceiving:
    def test_what_the_credential_says(self, resident: Wallet) -> None:
        (credential,) = resident.credentials
        assert credential.credential_type == RESIDENT_CREDENTIAL_TYPE
        assert credential.issuer == "aoba_city@issuer"
        assert credential.expires_at_ms > time.time() * 1000
        place = parse_credential(credential.text).unverified_claims["tegata"]
        assert isinstance(place, dict)
        assert place["account"] == resident.account.account_id
        attributes = resident.attributes(credential.record_id)
        assert attributes["address"] == RESIDENT.address
        assert attributes["birth_date"] == "1980-12-24"
        assert attributes["age_over_18"] is True

    def test_a_credential_that_is_not_there(self, resident: Wallet) -> None:
        with pytest.raises(UnknownCredentialError, match="holds no credential"):
            resident.attributes("ab" * 16)

    def test_a_transaction_code_is_needed_and_must_be_right(
        self, registered: Wallet, city: IssuerClient
    ) -> None:
        offer = city.offer(RESIDENT)
        with pytest.raises(OfferError, match="transaction code"):
            registered.issuance.receive(offer.link)
        wrong = f"{(int(offer.tx_code) + 1) % 1_000_000:06}"
        with pytest.raises(IssuerRefusedError) as raised:
            registered.issuance.receive(offer.link, tx_code=wrong)
        assert raised.value.code == "invalid_grant"
        assert wrong not in str(raised.value)
        assert registered.credentials == ()
        receive(registered, offer)  # A mistyped code does not cost the offer.

    def test_a_credential_comes_by_messages(self, registered: Wallet, city: IssuerClient) -> None:
        offer = city.offer(RESIDENT)
        assert offer.waci_link is not None
        with pytest.raises(OfferError, match="transaction code"):
            registered.issuance.receive(offer.waci_link)
        credential = registered.issuance.receive(offer.waci_link, tx_code=offer.tx_code)
        assert registered.attributes(credential.record_id)["address"] == RESIDENT.address
        with pytest.raises(OfferError, match="no such offer"):
            registered.issuance.receive(offer.waci_link, tx_code=offer.tx_code)

    def test_an_offer_is_good_once(self, registered: Wallet, city: IssuerClient) -> None:
        offer = city.offer(RESIDENT)
        receive(registered, offer)
        with pytest.raises(OfferError):
            receive(registered, offer)
        assert len(registered.credentials) == 1

    @pytest.mark.parametrize(
        "link", ["", "nonsense", "openid-credential-offer://", "openid4vp://?client_id=x", "\ud800"]
    )
    def test_what_is_no_offer(self, registered: Wallet, link: str) -> None:
        with pytest.raises(OfferError):
            registered.issuance.receive(link, tx_code="123456")

    def test_an_issuer_that_is_none(self, registered: Wallet) -> None:
        with HttpStand(lambda _request: Reply(status=404)) as server:
            link = build_offer_link(OfferReference(uri=f"{server.url}/offers/secret-of-the-offer"))
            with pytest.raises(OfferError) as raised:
                registered.issuance.receive(link, tx_code="123456")
        assert "secret" not in str(raised.value)
        with pytest.raises(TransportError) as raised_later:
            registered.issuance.receive(link, tx_code="123456")
        assert "secret" not in str(raised_later.value)
        assert registered.credentials == ()

    def test_the_newest_credential_is_shown(
        self, resident: Wallet, tmp_path: Path, city: IssuerClient, stand: VerifierStand
    ) -> None:
        with copy_of(resident, tmp_path / "copy") as wallet:
            moved = replace(RESIDENT, address="moved to 4-5-6")
            record_id = receive(wallet, city.offer(moved))
            assert len(wallet.credentials) == 2
            pending = wallet.presentation.read_request(stand.ask("address"))
            assert pending.shown[0].credential.record_id == record_id
            assert [share.value for share in pending.shares] == ["moved to 4-5-6"]

    def test_an_expired_credential_is_not_shown(
        self, resident: Wallet, tmp_path: Path, ledger_id: str
    ) -> None:
        (credential,) = resident.credentials
        later_ms = credential.expires_at_ms
        with (
            VerifierStand(ledger=ledger_id, now_ms=later_ms) as stand,
            copy_of(resident, tmp_path / "copy", now_ms=lambda: later_ms) as wallet,
            pytest.raises(RequestError, match="has expired"),
        ):
            wallet.presentation.read_request(stand.ask("address"))


class TestReadingARequest:
    def test_all_that_a_consent_screen_needs(
        self, resident: Wallet, ward_office: GatewayClient
    ) -> None:
        link = ward_office.ask(["name", "address"], purpose="A library card").link
        pending = resident.presentation.read_request(link)
        assert pending.verifier_name == "Aoba Ward Office"
        assert pending.is_verified
        assert pending.offer is not None
        assert pending.offer.purpose == "A library card"
        shown = {share.path: share.value for share in pending.shares}
        assert shown == {("name",): RESIDENT.name, ("address",): RESIDENT.address}

    def test_a_verifier_without_authority_is_not_verified(
        self, resident: Wallet, stand: VerifierStand
    ) -> None:
        pending = resident.presentation.read_request(stand.ask("address"))
        assert pending.verifier_name == "Nobody in Particular"
        assert not pending.is_verified

    def test_without_trust_anchors_nobody_is_verified(
        self, empty: Wallet, town: Town, city: IssuerClient, ward_office: GatewayClient
    ) -> None:
        empty.register(town.issuer_url, city.enrol(), torii=town.torii)
        link = ward_office.ask(["address"], purpose="why").link
        with pytest.raises(RequestError, match="holds no credential"):
            empty.presentation.read_request(link)
        receive(empty, city.offer(RESIDENT))
        assert not empty.presentation.read_request(link).is_verified

    @pytest.mark.parametrize(
        "link",
        [
            "",
            "nonsense",
            "https://gateway.example/",
            "openid4vp://",
            "openid4vp://?client_id=x509_hash:x",
            "openid4vp://?client_id=x&client_id=y&request_uri=https://a.example",
            "openid4vp://?client_id=x&request_uri=http://verifier.example/",
            "openid4vp://?client_id=x&request_uri=file:///etc/passwd",
            "openid4vp://?" + "x" * 10_000,
            "\ud800",
        ],
    )
    def test_what_is_no_link(self, resident: Wallet, link: str) -> None:
        with pytest.raises(RequestError):
            resident.presentation.read_request(link)

    def test_an_unknown_request(self, resident: Wallet, town: Town, stand: VerifierStand) -> None:
        for address in (f"{town.gateway_url}/oid4vp/requests/{'ab' * 16}", f"{stand.server.url}/x"):
            with pytest.raises(RequestError, match=r"no such request \(HTTP 404\)"):
                resident.presentation.read_request(stand.link(address))

    def test_a_verifier_that_cannot_be_reached(
        self, resident: Wallet, stand: VerifierStand
    ) -> None:
        with pytest.raises(TransportError):
            resident.presentation.read_request(stand.link(f"http://{NOWHERE}/request"))

    def test_an_answer_of_another_type(self, resident: Wallet, stand: VerifierStand) -> None:
        stand.request_type = "application/jwt"
        with pytest.raises(RequestError, match="no such request"):
            resident.presentation.read_request(stand.ask("address"))

    def test_an_answer_that_is_no_request(self, resident: Wallet, stand: VerifierStand) -> None:
        link = stand.ask("address")
        for body in (b"", b"a.b.c", "手形".encode(), b"\xff" * 100):
            headers = {"Content-Type": stand.request_type}
            reply = Reply(body=body, headers=headers)
            stand.server.answer = lambda _request, reply=reply: reply
            with pytest.raises(RequestError, match="request object"):
                resident.presentation.read_request(link)

    def test_an_expired_request(self, resident: Wallet, stand: VerifierStand) -> None:
        an_hour_ago = stand.now_ms // 1000 - 3600
        link = stand.ask("address", issued_at=an_hour_ago, expires_at=an_hour_ago + 300)
        with pytest.raises(ExpiredError):
            resident.presentation.read_request(link)

    def test_a_link_that_names_another_verifier(
        self, resident: Wallet, stand: VerifierStand, ledger_id: str
    ) -> None:
        with VerifierStand(ledger=ledger_id) as other:
            stand.ask("address")
            with pytest.raises(RequestError, match="client_id"):
                resident.presentation.read_request(other.link(f"{stand.server.url}/requests/0"))

    def test_a_grant_on_another_ledger(self, resident: Wallet, stand: VerifierStand) -> None:
        link = stand.ask("address", offer=stand.offer("address", ledger="cd" * 32))
        with pytest.raises(RequestError, match="another ledger"):
            resident.presentation.read_request(link)

    def test_another_credential_type(self, resident: Wallet, stand: VerifierStand) -> None:
        query = build_query(query_id="resident", vct="urn:other:1", attributes=("address",))
        with pytest.raises(RequestError, match="another type"):
            resident.presentation.read_request(stand.ask("address", query=query))

    @pytest.mark.parametrize("names", [("blood_type",), ("address", "blood_type"), ("portrait",)])
    def test_an_attribute_that_the_credential_has_not(
        self, resident: Wallet, stand: VerifierStand, names: tuple[str, ...]
    ) -> None:
        with pytest.raises(RequestError, match="the credential has no"):
            resident.presentation.read_request(stand.ask(*names))


class TestPresenting:
    def test_two_credentials_each_under_its_own_grant(
        self, resident: Wallet, stand: VerifierStand
    ) -> None:
        queries = [
            build_query(query_id=name, vct=RESIDENT_CREDENTIAL_TYPE, attributes=(name,))
            for name in ("address", "name")
        ]
        offers = [stand.offer(name, query_id=name) for name in ("address", "name")]
        link = stand.ask(
            query=DcqlQuery(credentials=tuple(query.credentials[0] for query in queries)),
            transaction_data=tuple(encode_grant_offer(offer) for offer in offers),
        )
        pending = resident.presentation.read_request(link)
        assert {share.path for share in pending.shares} == {("address",), ("name",)}
        answer = resident.presentation.answer(pending)
        assert len(set(answer.grant_ids)) == 2
        for grant_id in answer.grant_ids:
            assert resident.grants.state(grant_id).state == "live"
        shown = json.loads(stand.answers[-1]["vp_token"])
        assert {name: len(presentations) for name, presentations in shown.items()} == {
            "address": 1,
            "name": 1,
        }

    def test_accepted_then_revoked(self, resident: Wallet, ward_office: GatewayClient) -> None:
        request = ward_office.ask(["address"], purpose="A library card")
        answer = resident.presentation.answer(resident.presentation.read_request(request.link))
        result = ward_office.wait(request.request_id)
        assert result.state == "accepted"
        assert result.attributes == {"address": RESIDENT.address}
        assert answer.grant_id is not None
        assert resident.grants.made[-1].grant_id == answer.grant_id
        assert resident.grants.made[-1].terms.purpose == "A library card"
        assert resident.grants.state(answer.grant_id).state == "live"
        resident.grants.revoke(answer.grant_id)
        assert resident.grants.state(answer.grant_id).state == "revoked"
        with pytest.raises(TransactionFailedError):
            resident.grants.revoke(answer.grant_id)

    def test_one_time_credentials_are_each_shown_once(
        self, resident: Wallet, city: IssuerClient, ward_office: GatewayClient, tmp_path: Path
    ) -> None:
        offer = city.offer(RESIDENT)
        with copy_of(resident, tmp_path / "one-time") as wallet:
            wallet.issuance.receive_one_time(offer.link, tx_code=offer.tx_code, count=2)
            assert wallet.one_time_left == 2
            shown = []
            for left in (1, 0):
                request = ward_office.ask(["address"], purpose="A library card")
                pending = wallet.presentation.read_request(request.link)
                shown.append(pending.shown[0].credential)
                wallet.presentation.answer(pending)
                assert ward_office.wait(request.request_id).state == "accepted"
                assert wallet.one_time_left == left
            # Nothing ties the two together: neither key nor id, nor where they are anchored alone.
            assert all(one.is_one_time for one in shown)
            assert len({one.record_id for one in shown}) == 2
            assert len({str(one.read().holder_key) for one in shown}) == 2
            assert all(one.read().claims["tegata"].get("account") is None for one in shown)  # type: ignore[union-attr]
            # None is left: the account's own credential is shown again.
            request = ward_office.ask(["address"], purpose="A library card")
            pending = wallet.presentation.read_request(request.link)
            assert pending.shown[0].credential.record_id == resident.credentials[0].record_id

    def test_a_one_time_credential_may_have_been_seen_once_it_is_sent(
        self, resident: Wallet, city: IssuerClient, ledger_id: str, tmp_path: Path
    ) -> None:
        offer = city.offer(RESIDENT)
        with copy_of(resident, tmp_path / "one-time") as wallet:
            wallet.issuance.receive_one_time(offer.link, tx_code=offer.tx_code, count=1)
            with VerifierStand(ledger=ledger_id) as stand:
                pending = wallet.presentation.read_request(stand.ask("address"))
            with pytest.raises(TransportError):
                wallet.presentation.answer(pending)
            assert wallet.one_time_left == 0

    def test_two_verifiers_at_once_do_not_see_the_same_one(
        self, resident: Wallet, city: IssuerClient, ward_office: GatewayClient, tmp_path: Path
    ) -> None:
        offer = city.offer(RESIDENT)
        with copy_of(resident, tmp_path / "one-time") as wallet:
            (only,) = wallet.issuance.receive_one_time(offer.link, tx_code=offer.tx_code, count=1)
            requests = [ward_office.ask(["address"], purpose="A library card") for _ in range(2)]
            # Both are on the screen before the holder consents to either.
            first, second = [wallet.presentation.read_request(request.link) for request in requests]
            chosen = [pending.shown[0].credential.record_id for pending in (first, second)]
            assert chosen == [only.record_id] * 2
            wallet.presentation.answer(first)
            grants = wallet.grants.made
            with pytest.raises(RequestError, match="shown meanwhile"):
                wallet.presentation.answer(second)
            assert wallet.grants.made == grants
            assert ward_office.result(requests[1].request_id).state == "fetched"
            wallet.presentation.answer(wallet.presentation.read_request(requests[1].link))
            assert ward_office.wait(requests[1].request_id).state == "accepted"

    def test_a_revoked_one_time_credential_is_refused(
        self, resident: Wallet, city: IssuerClient, ward_office: GatewayClient, tmp_path: Path
    ) -> None:
        offer = city.offer(RESIDENT)
        with copy_of(resident, tmp_path / "one-time") as wallet:
            (only,) = wallet.issuance.receive_one_time(offer.link, tx_code=offer.tx_code, count=1)
            city.change_state(only.record_id, "revoke")
            request = ward_office.ask(["address"], purpose="A library card")
            with pytest.raises(RequestError):
                wallet.presentation.answer(wallet.presentation.read_request(request.link))
            result = ward_office.wait(request.request_id)
            assert [check.name for check in result.checks if check.passed is False] == ["status"]

    def test_they_are_no_part_of_a_backup(
        self, resident: Wallet, city: IssuerClient, tmp_path: Path
    ) -> None:
        offer = city.offer(RESIDENT)
        with copy_of(resident, tmp_path / "one-time") as wallet:
            (only,) = wallet.issuance.receive_one_time(offer.link, tx_code=offer.tx_code, count=1)
            contents = wallet._session.contents
            assert only.record_id in contents.credentials
            kept = {one["record_id"] for one in contents.to_backup()["credentials"]}  # type: ignore[index,union-attr,call-overload]
            assert kept == {one.record_id for one in resident.credentials}

    def test_an_invitation_is_answered_by_messages(
        self, resident: Wallet, ward_office: GatewayClient
    ) -> None:
        request = ward_office.ask(["address"], purpose="A library card")
        assert request.waci_link is not None
        pending = resident.presentation.read_request(request.waci_link)
        assert pending.verifier_name == "Aoba Ward Office"
        assert pending.is_verified
        resident.presentation.answer(pending)
        result = ward_office.wait(request.request_id)
        assert (result.state, result.attributes) == ("accepted", {"address": RESIDENT.address})

    def test_an_invitation_is_declined_by_a_message(
        self, resident: Wallet, ward_office: GatewayClient
    ) -> None:
        request = ward_office.ask(["address"], purpose="A library card")
        assert request.waci_link is not None
        resident.presentation.decline(resident.presentation.read_request(request.waci_link))
        assert ward_office.wait(request.request_id).state == "declined"

    def test_a_declined_request_shows_nothing(
        self, resident: Wallet, ward_office: GatewayClient
    ) -> None:
        before = resident.grants.made
        request = ward_office.ask(["address"], purpose="why")
        pending = resident.presentation.read_request(request.link)
        resident.presentation.decline(pending)
        result = ward_office.wait(request.request_id)
        assert result.state == "declined"
        assert result.attributes == {}
        assert resident.grants.made == before
        # The holder may think again while the request lasts.
        resident.presentation.answer(pending)
        assert ward_office.result(request.request_id).state == "accepted"

    def test_what_is_sent(self, resident: Wallet, stand: VerifierStand) -> None:
        stand.reply = json_reply({"redirect_uri": "https://verifier.example/done"})
        answer = resident.presentation.answer(
            resident.presentation.read_request(stand.ask("address", state="the-state"))
        )
        assert answer.redirect_uri == "https://verifier.example/done"
        (form,) = stand.answers
        assert form["state"] == "the-state"
        ((presentation,),) = json.loads(form["vp_token"]).values()
        (disclosure,) = parse_sd_jwt(presentation).disclosures
        assert (disclosure.name, disclosure.value) == ("address", RESIDENT.address)

    def test_without_a_grant(self, resident: Wallet, stand: VerifierStand) -> None:
        before = resident.grants.made
        pending = resident.presentation.read_request(stand.ask("address", with_grant=False))
        assert pending.offer is None
        answer = resident.presentation.answer(pending)
        assert answer.grant_id is None
        assert answer.redirect_uri is None
        assert resident.grants.made == before
        assert len(stand.answers) == 1

    def test_an_attribute_that_every_presentation_shows(
        self, resident: Wallet, stand: VerifierStand
    ) -> None:
        pending = resident.presentation.read_request(stand.ask("iss", "address"))
        assert {share.path for share in pending.shares} == {("iss",), ("address",)}
        resident.presentation.answer(pending)
        assert len(stand.answers) == 1

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (json_reply({"error": "invalid_request"}, status=400), "HTTP 400, invalid_request"),
            (json_reply({"error": "x" * 65}, status=400), "HTTP 400, no code"),
            (json_reply({"error": ["x"]}, status=403), "HTTP 403, no code"),
        ],
    )
    def test_a_verifier_that_refuses(
        self, resident: Wallet, stand: VerifierStand, reply: Reply, error: str
    ) -> None:
        stand.reply = reply
        pending = resident.presentation.read_request(stand.ask("address"))
        for act in (resident.presentation.decline, resident.presentation.answer):
            with pytest.raises(RequestError, match=error):
                act(pending)
        # What was sent cannot be called back: the grant stays, and can be revoked.
        self.revoke_last(resident)

    def test_a_verifier_that_is_out_of_order(self, resident: Wallet, stand: VerifierStand) -> None:
        stand.reply = Reply(status=500, body=b"<html>")
        pending = resident.presentation.read_request(stand.ask("address"))
        for act in (resident.presentation.decline, resident.presentation.answer):
            with pytest.raises(TransportError, match="HTTP 500"):
                act(pending)
        self.revoke_last(resident)

    @pytest.mark.parametrize("redirect", [5, None, ["https://x"]])
    def test_a_redirect_that_is_none(
        self, resident: Wallet, stand: VerifierStand, redirect: object
    ) -> None:
        stand.reply = json_reply({"redirect_uri": redirect})
        pending = resident.presentation.read_request(stand.ask("address", with_grant=False))
        assert resident.presentation.answer(pending).redirect_uri is None

    def test_the_verifier_is_gone_after_the_grant(self, resident: Wallet, ledger_id: str) -> None:
        count = len(resident.grants.made)
        with VerifierStand(ledger=ledger_id) as stand:
            pending = resident.presentation.read_request(stand.ask("address"))
        with pytest.raises(TransportError):
            resident.presentation.answer(pending)
        assert len(resident.grants.made) == count + 1
        self.revoke_last(resident)

    def test_the_ledger_cannot_be_reached(
        self, resident: Wallet, tmp_path: Path, stand: VerifierStand, town: Town
    ) -> None:
        file = tmp_path / "copy"
        with copy_of(resident, file, timeout_s=1) as wallet:
            pending = wallet.presentation.read_request(stand.ask("address"))
            with_torii(file, NOWHERE)
            count = len(wallet.grants.made)
            with pytest.raises(TransportError):
                wallet.presentation.answer(pending)
            assert stand.answers == []
            # It may have arrived: the grant is kept until the ledger can be asked.
            assert len(wallet.grants.made) == count + 1
            with pytest.raises(TransportError):
                wallet.grants.state(wallet.grants.made[-1].grant_id)
        with_torii(file, town.torii)
        with Wallet.open(file, PASSPHRASE) as wallet:
            with pytest.raises(UnknownGrantError, match="the ledger holds no grant"):
                wallet.grants.state(wallet.grants.made[-1].grant_id)
            wallet.presentation.answer(pending)
        assert len(stand.answers) == 1

    def test_a_grant_that_has_ended_is_refused_by_the_ledger(
        self, resident: Wallet, tmp_path: Path, ledger_id: str
    ) -> None:
        """The wallet's clock is slow, and so it does not see that the offer is old."""
        an_hour_ago_ms = time.time_ns() // 1_000_000 - 3_600_000
        with (
            VerifierStand(ledger=ledger_id, now_ms=an_hour_ago_ms) as stand,
            copy_of(resident, tmp_path / "copy", now_ms=lambda: an_hour_ago_ms) as wallet,
        ):
            pending = wallet.presentation.read_request(stand.ask("address"))
            with (
                refused_before_anything_is_sent(wallet, stand),
                pytest.raises(TransactionFailedError) as raised,
            ):
                wallet.presentation.answer(pending)
            assert raised.value.code != 0
            assert "SetAccountDetail" in str(raised.value)

    def test_a_grant_to_an_account_that_is_no_gateway(
        self, resident: Wallet, stand: VerifierStand
    ) -> None:
        offer = stand.offer("address", gateway="nobody@nowhere")
        pending = resident.presentation.read_request(stand.ask("address", offer=offer))
        # It could put nothing on the holder's record.
        refused = pytest.raises(TransactionFailedError, match="GrantPermission")
        with refused_before_anything_is_sent(resident, stand), refused:
            resident.presentation.answer(pending)

    def test_unknown_grants(self, resident: Wallet) -> None:
        for act in (resident.grants.state, resident.grants.revoke):
            with pytest.raises(UnknownGrantError, match="the wallet made no grant"):
                act("ab" * 16)

    def revoke_last(self, wallet: Wallet) -> None:
        grant: StoredGrant = wallet.grants.made[-1]
        assert wallet.grants.state(grant.grant_id).state == "live"
        wallet.grants.revoke(grant.grant_id)
        assert wallet.grants.state(grant.grant_id).state == "revoked"


class TestTwoAtOnce:
    def test_neither_loses_what_the_other_keeps(
        self,
        resident: Wallet,
        tmp_path: Path,
        city: IssuerClient,
        stand: VerifierStand,
    ) -> None:
        file = tmp_path / "copy"
        with copy_of(resident, file) as one, Wallet.open(file, PASSPHRASE) as other:
            link = stand.ask("address")
            first, second = (
                one.presentation.read_request(link),
                other.presentation.read_request(link),
            )
            record_id = receive(one, city.offer(RESIDENT))
            by_other = other.presentation.answer(second).grant_id
            by_one = one.presentation.answer(first).grant_id
            for wallet in (one, other):
                assert record_id in {credential.record_id for credential in wallet.credentials}
                assert {by_one, by_other} <= {grant.grant_id for grant in wallet.grants.made}
            assert by_other is not None
            one.grants.revoke(by_other)
            assert other.grants.state(by_other).state == "revoked"

    def test_a_second_registration_does_not_replace_the_first(
        self, empty: Wallet, town: Town, city: IssuerClient
    ) -> None:
        with Wallet.open(file_of(empty), PASSPHRASE) as other:
            account = empty.register(town.issuer_url, city.enrol(), torii=town.torii)
            with pytest.raises(OfferError, match="has an account already"):
                other.register(town.issuer_url, city.enrol(), torii=town.torii)
            assert other.account == account
