"""ES256 natively where it is built, and by `cryptography`: the same verdicts on the same bytes."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import decode_base64url, encode_base64url
from client_sdk.credentials import es256
from client_sdk.credentials.jose import (
    ES256,
    Key,
    export_private_jwk,
    export_public_jwk,
    generate_key,
    parse_private_jwk,
    parse_public_jwk,
    sign_bytes,
    thumbprint,
    verify_bytes,
)
from client_sdk.errors import KeyFormatError

# RFC 7515 appendix A.3.
JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
SECRET = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
SIGNED = (
    b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm"
    b"NvbS9pc19yb290Ijp0cnVlfQ"
)
SIGNATURE = decode_base64url(
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
R, S = SIGNATURE[:32], SIGNATURE[32:]


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


@pytest.fixture(params=["native", "cryptography"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "native" and es256._native is None:
        pytest.skip("native/es256 is not built")
    if request.param == "cryptography":
        monkeypatch.setattr(es256, "_native", None)
    return request.param


def test_rfc7515_a_3(by: str) -> None:
    assert verify_bytes(SIGNED, SIGNATURE, parse_public_jwk({**JWK}))
    private = parse_private_jwk({**JWK, "d": SECRET})
    assert verify_bytes(SIGNED, SIGNATURE, private)
    made = sign_bytes(SIGNED, private)
    assert len(made) == 64
    assert verify_bytes(SIGNED, made, parse_public_jwk({**JWK}))


@pytest.mark.parametrize(
    ("signature", "is_good"),
    [
        (SIGNATURE, True),
        # The other S of the same signature: ECDSA takes both.
        (R + number(ORDER - int.from_bytes(S, "big")), True),
        (SIGNATURE[:-1], False),
        (SIGNATURE + b"\0", False),
        (b"", False),
        (bytes(64), False),
        (R + bytes(32), False),
        (bytes(32) + S, False),
        (R + number(ORDER), False),
        (number(ORDER) + S, False),
        (number(ORDER + 1) + number(ORDER + 1), False),
        (b"\xff" * 64, False),
        (S + R, False),
    ],
)
def test_numbers_at_the_edges(by: str, signature: bytes, is_good: bool) -> None:
    assert verify_bytes(SIGNED, signature, parse_public_jwk({**JWK})) is is_good


@pytest.mark.parametrize(
    "changes",
    [
        {"x": encode_base64url(bytes(32))},
        {"x": encode_base64url(b"\xff" * 32)},
        {"y": JWK["x"]},
        {"x": JWK["y"], "y": JWK["x"]},
        {"x": encode_base64url(bytes(32)), "y": encode_base64url(bytes(32))},
        {"x": JWK["x"][:-1]},
    ],
)
def test_what_is_no_point_is_no_key(by: str, changes: dict[str, str]) -> None:
    with pytest.raises(KeyFormatError):
        parse_public_jwk({**JWK, **changes})


@pytest.fixture
def keys(by: str) -> tuple[Key, Key]:
    own = generate_key(ES256)
    return own, parse_public_jwk(export_public_jwk(own))


def test_a_key_is_the_same_key_however_it_came(keys: tuple[Key, Key]) -> None:
    own, public = keys
    assert thumbprint(own) == thumbprint(public)
    assert export_public_jwk(own) == export_public_jwk(public)
    assert not public.is_private
    assert public.private_key is None
    assert public.public_key.public_numbers() == own.public_key.public_numbers()
    with pytest.raises(KeyFormatError, match="public half"):
        export_private_jwk(public)
    with pytest.raises(KeyFormatError, match="public half"):
        sign_bytes(b"", public)
    again = parse_private_jwk(export_private_jwk(own))
    assert verify_bytes(b"x", sign_bytes(b"x", again), public)


@dataclass(frozen=True, slots=True)
class Pair:
    own: Key
    public: Key


PAIR = Pair(own := generate_key(ES256), parse_public_jwk(export_public_jwk(own)))


@given(message=st.binary(max_size=100), place=st.integers(0, 63), flip=st.integers(1, 255))
def test_both_give_the_same_verdict(message: bytes, place: int, flip: int) -> None:
    good = sign_bytes(message, PAIR.own)
    spoilt = bytearray(good)
    spoilt[place] ^= flip
    for signature, data in ((good, message), (bytes(spoilt), message), (good, message + b"x")):
        verdicts = []
        with pytest.MonkeyPatch.context() as patch:
            verdicts.append(verify_bytes(data, signature, PAIR.public))
            patch.setattr(es256, "_native", None)
            verdicts.append(verify_bytes(data, signature, PAIR.public))
        assert verdicts[0] is verdicts[1] is ((signature, data) == (good, message))
