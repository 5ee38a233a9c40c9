"""Transaction data `tegata_grant`: the offer and the proof."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.presentation_world import World

from chaincode.encoding import encode_base64url
from client_sdk.errors import ClientError, GrantError, HolderBindingError, RequestError
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.openid4vp.dcql_query import ClaimsQuery, CredentialQuery
from client_sdk.openid4vp.grant_offer import (
    GrantProof,
    check_offer,
    encode_grant_offer,
    hash_transaction_data,
    parse_grant_offer,
)

OFFER = parse_grant_offer(World().request("address", "name").transaction_data[0])
FIELDS: dict[str, Any] = {
    "type": "tegata_grant",
    "credential_ids": ["resident"],
    "verifier": OFFER.verifier,
    "verifier_name": "Minato City Hall",
    "attributes": [["address"], ["name"]],
    "purpose": "Residence certificate",
    "purpose_term": "https://w3id.org/dpv#RequestedServiceProvision",
    "expires_at_ms": OFFER.expires_at_ms,
    "uses": 1,
    "gateway": "gateway@tegata",
    "ledger": "ab" * 32,
}


def encoded(fields: Any) -> str:
    return encode_base64url(json.dumps(fields).encode())


def test_an_offer_survives_its_encoding() -> None:
    assert parse_grant_offer(encode_grant_offer(OFFER)) == OFFER
    assert parse_grant_offer(encoded(FIELDS)) == OFFER


def test_a_purpose_in_japanese_may_hold_a_wide_space() -> None:
    purpose = "住民票の写し\u3000交付のため"
    offer = dataclasses.replace(OFFER, purpose=purpose)
    assert parse_grant_offer(encode_grant_offer(offer)).purpose == purpose


def test_the_terms_commit_to_the_credential() -> None:
    salt = new_salt()
    one, other = OFFER.terms(new_record_id()), OFFER.terms(new_record_id())
    assert one.commitment(salt) != other.commitment(salt)
    with pytest.raises(GrantError):
        one.commitment("AAAA")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "payment"},
        {"type": ["tegata_grant"]},
        {"colour": "red"},
        {"transaction_data_hashes_alg": ["sha-512"]},
        {"purpose": ...},
        {"purpose": ""},
        {"purpose": "a" * 201},
        {"purpose": "line\nbreak"},
        {"purpose": " \u3000 "},
        {"purpose": "right\u202eleft"},
        {"purpose": 1},
        {"purpose_term": ...},
        {"purpose_term": "RequestedServiceProvision"},
        {"purpose_term": "https://w3id.org/dpv#Nothing"},
        {"purpose_term": ["https://w3id.org/dpv#Marketing"]},
        {"credential_ids": []},
        {"credential_ids": ["a", "b"]},
        {"credential_ids": [1]},
        {"attributes": [["a"]] * 33},
        {"attributes": [[]]},
        {"attributes": [["name"], ["address"]]},
        {"attributes": [["name"], ["name"]]},
        {"attributes": [[-1]]},
        {"attributes": ["name"]},
        {"attributes": [[True]]},
        {"attributes": [["a", None], ["a", "b"]]},
        {"expires_at_ms": 0},
        {"expires_at_ms": 1.5},
        {"expires_at_ms": True},
        {"uses": 0},
        {"gateway": "no account"},
        {"ledger": "ab"},
        {"verifier_name": "x" * 101},
    ],
)
def test_offers_that_are_refused(changes: dict[str, Any]) -> None:
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value != ...}
    with pytest.raises(RequestError, match="transaction_data"):
        parse_grant_offer(encoded(fields))


def test_an_offer_that_no_wallet_reads_is_not_encoded() -> None:
    for changes in ({"purpose": ""}, {"attributes": (("b",), ("a",))}, {"purpose": "\ud800"}):
        with pytest.raises(RequestError):
            encode_grant_offer(dataclasses.replace(OFFER, **changes))


@given(st.text() | st.binary().map(encode_base64url) | st.binary().map(lambda b: encoded(str(b))))
def test_any_text_is_an_offer_or_a_request_error(text: str) -> None:
    with pytest.raises(RequestError):
        parse_grant_offer(text)


def test_a_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(RequestError, match="longer"):
        parse_grant_offer("A" * 16_385)


def test_the_offer_and_the_query_must_agree() -> None:
    claims = (ClaimsQuery(path=("address",)), ClaimsQuery(path=("name",)))
    query = CredentialQuery(id="resident", vct_values=("urn:x",), claims=claims)
    check_offer(OFFER, query=query, client_id=OFFER.verifier)
    with pytest.raises(RequestError, match="another verifier"):
        check_offer(OFFER, query=query, client_id="x509_hash:other")
    with pytest.raises(RequestError, match="others than"):
        check_offer(
            OFFER, query=dataclasses.replace(query, claims=claims[:1]), client_id=OFFER.verifier
        )


PROOF = GrantProof(
    ledger="ab" * 32,
    account="h4f2@tegata",
    grant=new_record_id(),
    receipt_key=bytes(range(32)),
    opening=new_salt(),
)


def test_a_proof_survives_the_key_binding() -> None:
    claims = PROOF.to_claims(("abc", "def"))
    assert GrantProof.from_claims(claims) == PROOF
    # SHA-256 of the ASCII text "abc", as FIPS 180-4's example has it, in base64url.
    assert claims["transaction_data_hashes"][0] == "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
    assert hash_transaction_data("abc") == "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"


@pytest.mark.parametrize(
    "changes",
    [
        {"ledger": 1},
        {"account": "x"},
        {"grant": "AB" * 16},
        {"opening": "AAAA"},
        {"opening": "é"},
        {"receipt_key": None},
        {"receipt_key": "AAAA"},
    ],
)
def test_proofs_that_are_refused(changes: dict[str, Any]) -> None:
    proof = PROOF.to_claims(())["tegata"]
    with pytest.raises(HolderBindingError):
        GrantProof.from_claims({"tegata": {**proof, **changes}})


@given(st.dictionaries(st.sampled_from(["tegata", "x"]), st.none() | st.text() | st.integers()))
def test_any_claims_are_a_proof_or_an_own_error(claims: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        GrantProof.from_claims(claims)
