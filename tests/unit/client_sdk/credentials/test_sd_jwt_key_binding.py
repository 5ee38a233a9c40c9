"""The key binding alone; `test_sd_jwt_vc.py` has the refusals of a presentation as a whole."""

import pytest

from chaincode.encoding import JsonObject
from client_sdk.credentials import jose
from client_sdk.credentials.sd_jwt import SdJwt, digest_of, parse_sd_jwt
from client_sdk.credentials.sd_jwt_key_binding import sign_key_binding, verify_key_binding
from client_sdk.errors import CredentialFormatError, HolderBindingError

KEY = jose.generate_key("EdDSA")
PLAIN = parse_sd_jwt("e30.e30.e30~WyJzYWx0IiwxXQ~")


def sign(sd_jwt: SdJwt, hash_algorithm: str = "sha-256") -> SdJwt:
    return sign_key_binding(
        sd_jwt,
        hash_algorithm=hash_algorithm,
        holder_key=KEY,
        audience="verifier",
        nonce="nonce",
        issued_at=1000,
    )


def verify(sd_jwt: SdJwt, hash_algorithm: str = "sha-256") -> JsonObject:
    return verify_key_binding(
        sd_jwt,
        hash_algorithm=hash_algorithm,
        holder_key=KEY,
        expected_audience="verifier",
        expected_nonce="nonce",
        now_s=1000,
        max_age_s=0,
        leeway_s=0,
    )


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_it_covers_all_that_stands_before_it(algorithm: str) -> None:
    bound = sign(PLAIN, algorithm)
    assert verify(parse_sd_jwt(bound.encode()), algorithm) == {
        "iat": 1000,
        "aud": "verifier",
        "nonce": "nonce",
        "sd_hash": digest_of("e30.e30.e30~WyJzYWx0IiwxXQ~", algorithm),
    }


def test_nothing_is_bound_twice() -> None:
    with pytest.raises(CredentialFormatError, match="already"):
        sign(sign(PLAIN))


def test_none_is_not_a_key_binding() -> None:
    with pytest.raises(HolderBindingError, match="none"):
        verify(PLAIN)
