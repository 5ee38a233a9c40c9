"""The commitment to a grant's terms: which bytes it covers, and that it covers all of them."""

import hashlib
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chaincode.encoding import decode_base64url, encode_base64url
from chaincode.ids import RECORD_ID
from client_sdk.errors import GrantError
from client_sdk.ledger.grants import SALT_BYTES, GrantTerms, new_record_id, new_salt

SALT = encode_base64url(bytes(range(16)))
TERMS = GrantTerms(
    verifier="x509_hash:abc",
    credential="00" * 16,
    attributes=(("address",), ("name",)),
    purpose="住民票の写し",
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ANY_TERMS = st.builds(
    GrantTerms,
    verifier=TEXTS,
    credential=TEXTS,
    attributes=st.lists(st.lists(TEXTS, min_size=1, max_size=2).map(tuple), max_size=3).map(tuple),
    purpose=TEXTS,
)
SALTS = st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES).map(encode_base64url)


def test_the_bytes_that_are_hashed() -> None:
    # RFC 8785, written down by hand.
    text = (
        '{"attributes":[["address"],["name"]],"credential":"00000000000000000000000000000000",'
        '"purpose":"住民票の写し","purpose_term":"https://w3id.org/dpv#RequestedServiceProvision",'
        '"salt":"AAECAwQFBgcICQoLDA0ODw","verifier":"x509_hash:abc"}'
    )
    assert TERMS.commitment(SALT) == hashlib.sha256(text.encode()).digest()
    assert (
        TERMS.commitment(SALT).hex()
        == "c1104da5269df9a6fd5c86cb7efe0cf905859677f6f525926b77c5fa51b80bfc"
    )


def canonical(terms: GrantTerms) -> GrantTerms:
    return replace(terms, attributes=tuple(sorted(terms.attributes)))


@given(ANY_TERMS, ANY_TERMS, SALTS, SALTS)
def test_other_terms_have_another_commitment(
    one: GrantTerms, other: GrantTerms, salt: str, other_salt: str
) -> None:
    assume((canonical(one), salt) != (canonical(other), other_salt))
    assert one.commitment(salt) != other.commitment(other_salt)


@given(ANY_TERMS, SALTS, st.data())
def test_each_term_is_covered(terms: GrantTerms, salt: str, data: st.DataObject) -> None:
    changed = data.draw(
        st.sampled_from(
            [
                replace(terms, verifier=terms.verifier + "x"),
                replace(terms, credential=terms.credential + "x"),
                replace(terms, purpose=terms.purpose + "x"),
                replace(terms, attributes=(*terms.attributes, ("one more",))),
                # What stands in one term cannot move to another.
                replace(terms, verifier=terms.purpose + "x", purpose=terms.verifier),
            ]
        )
    )
    assert changed.commitment(salt) != terms.commitment(salt)


def test_a_path_is_not_two_paths() -> None:
    nested = replace(TERMS, attributes=(("address", "name"),))
    assert nested.commitment(SALT) != TERMS.commitment(SALT)


def test_the_order_of_attributes_says_nothing() -> None:
    paths = (("address",), ("birth_date",), ("degrees", "type"))
    hashes = {replace(TERMS, attributes=order).commitment(SALT) for order in permutations(paths)}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "salt",
    [
        "",
        "AAAA",
        encode_base64url(bytes(15)),
        encode_base64url(bytes(17)),
        "A" * 22 + "==",
        "塩",
        "AAECAwQFBgcICQoLDA0OD/",
        "AAECAwQFBgcICQoLDA0ODx",
    ],
)
def test_a_salt_of_another_form(salt: str) -> None:
    with pytest.raises(GrantError) as raised:
        TERMS.commitment(salt)
    assert not salt or salt not in str(raised.value)


def test_terms_without_canonical_form() -> None:
    with pytest.raises(GrantError, match="no commitment"):
        replace(TERMS, purpose="\ud800").commitment(SALT)


def test_ids_and_salts_are_random() -> None:
    ids = {new_record_id() for _ in range(100)}
    salts = {new_salt() for _ in range(100)}
    assert len(ids) == len(salts) == 100
    assert all(RECORD_ID.fullmatch(record_id) for record_id in ids)
    assert all(len(decode_base64url(salt)) == SALT_BYTES for salt in salts)
