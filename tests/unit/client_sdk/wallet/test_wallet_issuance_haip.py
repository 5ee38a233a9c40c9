"""A wallet at an issuer that keeps to HAIP 1.0: its page, attestations of wallet and keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from support.issuer_world import ISSUER
from support.issuing_town import AUTHORITY, DEMAND, HolderAtPage, Town, provider, town_of
from support.memory_ledger import START_MS
from support.wallet_provider import Authority

from client_sdk.credentials.jose import parse_compact
from client_sdk.errors import IssuerRefusedError, KeyFormatError, OfferError
from client_sdk.wallet.provider_key import CHAIN_FILE, KEY_FILE, ProviderKey
from node.issuer.config import MetadataCertificate


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with town_of(tmp_path, haip=True, key_attestations=DEMAND) as made:
        yield made


def test_haip_4_wallet_receives_through_the_issuers_page(town: Town) -> None:
    offer = town.world.make_offer()
    holder = HolderAtPage(tx_code=offer["tx_code"])
    with town.open(provider(town.world)) as wallet:
        credential = wallet.issuance.receive(offer["link"], browser=holder)
        assert credential.issuer == ISSUER
        assert wallet.issuance.pending == ()
    assert holder.client_id == "https://wallet.example"


def test_haip_4_wallet_begins_without_an_offer(town: Town) -> None:
    offer = town.world.make_offer()
    holder = HolderAtPage(authentication_code=offer["authentication_code"])
    with town.open(provider(town.world)) as wallet:
        assert (
            wallet.issuance.receive_at(town.world.config.public_url, browser=holder).issuer
            == ISSUER
        )
        with pytest.raises(OfferError, match="not the service that made"):
            wallet.issuance.receive_at("https://stranger.example", browser=holder)


def test_haip_4_one_attestation_names_all_keys_of_a_batch(town: Town) -> None:
    offer = town.world.make_offer()
    with town.open(provider(town.world)) as wallet:
        made = wallet.issuance.receive_one_time(offer["link"], tx_code=offer["tx_code"], count=3)
        assert len({str(one.read().holder_key) for one in made}) == 3


def test_5_1_2_wallet_names_each_format_by_its_scope(tmp_path: Path) -> None:
    with town_of(tmp_path) as town, town.open(None) as wallet:
        for name in ("ldp_vc", "dc+sd-jwt"):
            offer = town.world.make_offer()
            holder = HolderAtPage(tx_code=offer["tx_code"])
            made = wallet.issuance.receive(offer["link"], browser=holder, credential_format=name)
            assert made.format == name


def test_holder_declines_at_the_page(town: Town) -> None:
    offer = town.world.make_offer()
    with town.open(provider(town.world)) as wallet:
        with pytest.raises(IssuerRefusedError, match="access_denied"):
            wallet.issuance.receive(offer["link"], browser=HolderAtPage(decision="deny"))
        # Nothing was used up.
        holder = HolderAtPage(tx_code=offer["tx_code"])
        assert wallet.issuance.receive(offer["link"], browser=holder)


def test_haip_4_3_1_attestations_are_not_used_again(town: Town) -> None:
    with town.open(provider(town.world)) as wallet:
        shown = [wallet._session.new_proofs().attestation for _ in range(2)]
    keys = {str(parse_compact(one.attestation).unverified_payload["cnf"]) for one in shown if one}
    assert len(keys) == 2


def test_wallet_without_a_provider_is_refused(town: Town) -> None:
    offer = town.world.make_offer()
    with town.open(None) as wallet, pytest.raises(IssuerRefusedError, match="invalid_client"):
        wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])


def test_keys_that_are_kept_worse_than_demanded_are_refused(town: Town) -> None:
    offer = town.world.make_offer()
    weak = provider(town.world, key_storage=("iso_18045_basic",))
    with town.open(weak) as wallet, pytest.raises(IssuerRefusedError, match="invalid_proof"):
        wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])


def test_wallet_says_where_it_has_nobody_to_vouch_for_its_keys(tmp_path: Path) -> None:
    with town_of(tmp_path, key_attestations=DEMAND) as town:
        offer = town.world.make_offer()
        with town.open(None) as wallet, pytest.raises(OfferError, match="vouch for its keys"):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        # The offer was accepted: with a provider the wallet goes on.
        with town.open(provider(town.world)) as wallet:
            assert wallet.issuance.resume(wallet.issuance.pending[0].issuance_id)


def test_attested_wallet_shows_nothing_where_nothing_is_asked(tmp_path: Path) -> None:
    with town_of(tmp_path) as town:
        town.world.config = town.world.config.model_copy(update={"wallet_providers_file": None})
        town.world.restart()
        offer = town.world.make_offer()
        holder = HolderAtPage(tx_code=offer["tx_code"])
        with town.open(provider(town.world)) as wallet:
            assert wallet.issuance.receive(offer["link"], browser=holder)
        assert holder.client_id == "tegata-wallet"


@pytest.mark.parametrize("signed", ["by the authority", "by another", "by nobody"])
def test_12_2_3_wallet_takes_metadata_by_the_word_of_an_authority(
    tmp_path: Path, signed: str
) -> None:
    authority = AUTHORITY if signed == "by the authority" else Authority(START_MS)
    identity = authority.certify("Aoba City")
    (tmp_path / "city.crt").write_bytes(identity.encode_chain())
    (tmp_path / "city.key").write_bytes(identity.encode_key())
    certificate = MetadataCertificate(
        chain_file=tmp_path / "city.crt", key_file=tmp_path / "city.key"
    )
    by = None if signed == "by nobody" else certificate
    with town_of(tmp_path, metadata_certificate=by) as town:
        offer = town.world.make_offer()
        with town.open(None, issuer_anchors=(AUTHORITY.certificate,)) as wallet:
            if signed == "by the authority":
                assert wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
                return
            with pytest.raises(OfferError, match="issuer metadata"):
                wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        # Nothing was used up.
        with town.open(None) as wallet:
            assert wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])


def test_a_provider_is_read_from_a_folder(tmp_path: Path) -> None:
    identity = AUTHORITY.certify()
    anchor = AUTHORITY.certificate.public_bytes(Encoding.PEM)
    (tmp_path / CHAIN_FILE).write_bytes(identity.encode_chain() + anchor)
    (tmp_path / KEY_FILE).write_bytes(identity.encode_key())
    read = ProviderKey.load(tmp_path, client_id="https://wallet.example")
    assert read.chain == identity.chain
    assert "signing_key" not in repr(read)
    (tmp_path / CHAIN_FILE).write_bytes(anchor)
    (tmp_path / KEY_FILE).write_bytes(AUTHORITY.identity.encode_key())
    with pytest.raises(KeyFormatError, match="self-signed"):
        ProviderKey.load(tmp_path, client_id="https://wallet.example")
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(KeyFormatError, match="cannot be read"):
        ProviderKey.load(tmp_path, client_id="https://wallet.example")
