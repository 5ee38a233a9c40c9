"""Status lists to and from PyPI `token-status-list`, which packs and compresses by itself."""

import random

import pytest
from token_status_list import BitArray, IssuerStatusList

from chaincode.encoding import encode_base64url
from client_sdk.credentials.jose import generate_key, parse_compact
from client_sdk.credentials.jwk import sign_bytes
from client_sdk.credentials.token_status_list import (
    BITS,
    StatusList,
    sign_status_list,
    verify_status_list,
)
from client_sdk.errors import SignatureError

URI = "https://city.example/status-lists/1"
NOW_S = 1_800_000_000
SIZE = 2_048


def statuses_of(bits: int) -> dict[int, int]:
    chosen = random.Random(bits)
    return {chosen.randrange(SIZE): chosen.randrange(1 << bits) for _ in range(200)}


@pytest.mark.parametrize("bits", BITS)
def test_they_read_what_we_publish(bits: int) -> None:
    statuses = StatusList.of_size(SIZE, bits=bits)
    for index, status in statuses_of(bits).items():
        statuses[index] = status
    token = sign_status_list(statuses, uri=URI, issuer_key=generate_key(), issued_at=NOW_S)
    published = parse_compact(token).unverified_payload["status_list"]
    theirs = BitArray.load(published)
    assert len(theirs) == SIZE
    assert [theirs[index] for index in range(SIZE)] == [statuses[index] for index in range(SIZE)]


@pytest.mark.parametrize("bits", BITS)
def test_we_verify_what_they_publish(bits: int) -> None:
    key = generate_key("ES256")
    theirs = IssuerStatusList.new(bits, SIZE, strategy="random")
    for index, status in statuses_of(bits).items():
        theirs[index] = status
    signing_input = theirs.sign_jwt_payload(
        alg="ES256",
        kid="1",
        iss="https://city.example",
        sub=URI,
        iat=NOW_S,
        exp=NOW_S + 600,
        ttl=60,
    )
    # Put together here: theirs writes the signature as `b'...'`.
    signature = encode_base64url(sign_bytes(signing_input, key))
    token = f"{signing_input.decode()}.{signature}"
    ours = verify_status_list(token, issuer_key=key, expected_uri=URI, now_s=NOW_S, leeway_s=0)
    assert [ours.statuses[index] for index in range(SIZE)] == [
        theirs[index] for index in range(SIZE)
    ]
    assert (ours.ttl_s, ours.expires_at) == (60, NOW_S + 600)
    with pytest.raises(SignatureError):
        verify_status_list(
            token, issuer_key=generate_key("ES256"), expected_uri=URI, now_s=NOW_S, leeway_s=0
        )
