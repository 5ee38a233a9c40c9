"""Key attestations (OpenID4VCI 1.0 appendix D, HAIP 1.0 section 4.5.1), clause by clause."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_ledger import START_MS
from support.wallet_provider import Authority

from client_sdk.credentials.jose import (
    ES256,
    Key,
    export_private_jwk,
    export_public_jwk,
    generate_key,
    sign_compact,
)
from client_sdk.errors import ClientError, ExpiredError, KeyAttestationError, SignatureError
from client_sdk.openid4vci.certificate_chain import encode_x5c
from client_sdk.openid4vci.key_attestation import (
    ATTESTATION_TYP,
    MAX_KEYS,
    KeyAttestation,
    KeyDemand,
    sign_key_attestation,
    verify_key_attestation,
)

NOW_S = START_MS // 1000
AUTHORITY = Authority(START_MS)
PROVIDER = AUTHORITY.certify()
KEYS = [generate_key(ES256), generate_key()]


def verify(token: str, now_s: int = NOW_S) -> KeyAttestation:
    return verify_key_attestation(token, anchors=[AUTHORITY.certificate], now_s=now_s, leeway_s=60)


def attest(keys: list[Key] = KEYS, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "provider_key": PROVIDER.signing_key,
        "chain": PROVIDER.chain,
        "nonce": "n0nce",
        "now_s": NOW_S,
        "lifetime_s": 3600,
        **changes,
    }
    return sign_key_attestation(keys, **fields)


def signed(**changes: Any) -> str:
    """Return an attestation of other members."""
    payload = {
        "iat": NOW_S,
        "exp": NOW_S + 60,
        "attested_keys": [export_public_jwk(key) for key in KEYS],
        **changes,
    }
    payload = {name: value for name, value in payload.items() if value is not None}
    header: Any = {"typ": ATTESTATION_TYP, "x5c": encode_x5c(PROVIDER.chain)}
    return sign_compact(header, payload, PROVIDER.signing_key)


def test_d_1_attested_keys_and_their_storage_are_read() -> None:
    known = verify(attest(key_storage=["iso_18045_high"], user_authentication=["pin"]))
    assert known.keys == tuple(map(export_public_jwk, KEYS))
    assert (known.nonce, known.expires_at) == ("n0nce", NOW_S + 3600)
    assert (known.key_storage, known.user_authentication) == (("iso_18045_high",), ("pin",))
    assert verify(attest(nonce=None)).nonce is None


@pytest.mark.parametrize(
    "demand",
    [
        KeyDemand(key_storage=("iso_18045_high",)),
        KeyDemand(user_authentication=("iso_18045_moderate",)),
        KeyDemand(key_storage=("iso_18045_moderate",), user_authentication=("iso_18045_high",)),
    ],
)
def test_d_2_keys_that_are_kept_otherwise_than_demanded_are_refused(demand: KeyDemand) -> None:
    known = verify(attest(key_storage=["iso_18045_moderate"]))
    with pytest.raises(KeyAttestationError, match="none that is accepted"):
        known.check_demand(demand)
    known.check_demand(KeyDemand())
    known.check_demand(KeyDemand(key_storage=("iso_18045_high", "iso_18045_moderate")))


@pytest.mark.parametrize(
    "make",
    [
        lambda: attest(provider_key=generate_key(ES256)),
        lambda: attest(chain=()),
        lambda: attest(chain=Authority(START_MS).certify().chain),
    ],
    ids=["another key", "no chain", "another authority"],
)
def test_haip_4_5_1_nobody_else_attests_keys(make: Callable[[], str]) -> None:
    with pytest.raises(SignatureError):
        verify(make())


def test_haip_4_5_1_the_anchor_is_not_sent_and_does_not_sign() -> None:
    with pytest.raises(SignatureError, match="anchor"):
        verify(attest(chain=[*PROVIDER.chain, AUTHORITY.certificate]))
    own = AUTHORITY.identity
    with pytest.raises(SignatureError):
        verify(attest(provider_key=own.signing_key, chain=own.chain))


def test_d_1_expired_attestation_is_refused() -> None:
    with pytest.raises(ExpiredError):
        verify(attest(), NOW_S + 3661)
    with pytest.raises(ExpiredError):
        verify(attest(now_s=NOW_S + 120))


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": None},
        {"iat": "now"},
        {"exp": 1.5},
        {"nonce": 7},
        {"attested_keys": None},
        {"attested_keys": []},
        {"attested_keys": {}},
        {"attested_keys": [7]},
        {"attested_keys": [export_public_jwk(KEYS[0])] * 2},
        {"attested_keys": [export_public_jwk(KEYS[0])] * (MAX_KEYS + 1)},
        {"attested_keys": [export_private_jwk(KEYS[0])]},
        {"attested_keys": [{"kty": "RSA", "n": "AQ", "e": "AQAB"}]},
    ],
)
def test_d_1_malformed_attestation_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        verify(signed(**changes))


def test_d_1_another_typ_is_refused() -> None:
    token = sign_compact(
        {"typ": "jwt", "x5c": encode_x5c(PROVIDER.chain)}, {"iat": NOW_S}, PROVIDER.signing_key
    )
    with pytest.raises(ClientError, match="typ"):
        verify(token)


@given(value=st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_raises_only_our_own_errors(value: str) -> None:
    with pytest.raises(ClientError):
        verify(value)


@given(
    value=st.none() | st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())
)
def test_any_demand_is_read(value: Any) -> None:
    demand = KeyDemand.from_fields(value)
    assert (demand is None) is not isinstance(value, dict)
