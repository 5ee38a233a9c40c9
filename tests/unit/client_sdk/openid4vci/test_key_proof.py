from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.credentials.jose import (
    export_private_jwk,
    export_public_jwk,
    generate_key,
    parse_compact,
    sign_compact,
)
from client_sdk.errors import ClientError, CredentialFormatError, HolderBindingError
from client_sdk.openid4vci.key_proof import (
    PROOF_TYP,
    VerifiedKeyProof,
    sign_key_proof,
    verify_key_proof,
)

ISSUER = "https://credential-issuer.example.com"
NOW_S = 1_701_960_444
KEY = generate_key()
# OpenID4VCI 1.0 appendix F.1, the example of a proof.
EXAMPLE = (
    "eyJ0eXAiOiJvcGVuaWQ0dmNpLXByb29mK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwiY3J2Ijoi"
    "UC0yNTYiLCJ4IjoiblVXQW9BdjNYWml0aDhFN2kxOU9kYXhPTFlGT3dNLVoyRXVNMDJUaXJUNCIsInkiOiJIc2tIVThC"
    "alVpMVU5WHFpN1N3bWo4Z3dBS18weGtjRGpFV183MVNvc0VZIn19.eyJhdWQiOiJodHRwczovL2NyZWRlbnRpYWwtaXN"
    "zdWVyLmV4YW1wbGUuY29tIiwiaWF0IjoxNzAxOTYwNDQ0LCJub25jZSI6IkxhclJHU2JtVVBZdFJZTzZCUTR5bjgifQ."
    "-a3EDsxClUB4O3LeDD5DVGEnNMT01FCQW4P6-2-BNBqc_Zxf0Qw4CWayLEpqkAomlkLb9zioZoipdP-jvh1WlA"
)


def verify(proof: str, **changes: Any) -> VerifiedKeyProof:
    arguments: dict[str, Any] = {
        "expected_issuer": ISSUER,
        "now_s": NOW_S,
        "max_age_s": 300,
        "leeway_s": 60,
        **changes,
    }
    return verify_key_proof(proof, **arguments)


def made(header: dict[str, Any] | None = None, **claims: Any) -> str:
    payload = {"aud": ISSUER, "iat": NOW_S, "nonce": "n", **claims}
    whole = {"typ": PROOF_TYP, "jwk": export_public_jwk(KEY), **(header or {})}
    return sign_compact(
        {name: value for name, value in whole.items() if value is not None},
        {name: value for name, value in payload.items() if value is not None},
        KEY,
    )


def test_specifications_example_verifies() -> None:
    assert verify(EXAMPLE).nonce == "LarRGSbmUPYtRYO6BQ4yn8"
    assert verify(EXAMPLE).holder_key["x"] == "nUWAoAv3XZith8E7i19OdaxOLYFOwM-Z2EuM02TirT4"


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_signed_proof_verifies(algorithm: str) -> None:
    key = generate_key(algorithm)
    proof = sign_key_proof(holder_key=key, issuer_url=ISSUER, nonce="n", issued_at=NOW_S)
    assert verify(proof) == VerifiedKeyProof(holder_key=export_public_jwk(key), nonce="n")
    assert "d" not in parse_compact(proof).unverified_header["jwk"]


def test_proof_names_the_wallets_account() -> None:
    proof = sign_key_proof(
        holder_key=KEY, issuer_url=ISSUER, nonce="n", issued_at=NOW_S, account="h4f2@holder"
    )
    assert verify(proof).account == "h4f2@holder"
    assert verify(made(tegata_account="h4f2@holder")).account == "h4f2@holder"
    assert verify(made()).account is None


@pytest.mark.parametrize("account", ["", "h4f2", "h4f2@", "A@b c", 5, [], {}, True, "a@b\n"])
def test_account_that_is_none_is_refused(account: object) -> None:
    with pytest.raises(HolderBindingError, match="tegata_account"):
        verify(made(tegata_account=account))


def test_account_that_is_null_is_refused() -> None:
    payload = {"aud": ISSUER, "iat": NOW_S, "nonce": "n", "tegata_account": None}
    header = {"typ": PROOF_TYP, "jwk": export_public_jwk(KEY)}
    with pytest.raises(HolderBindingError, match="tegata_account"):
        verify(sign_compact(header, payload, KEY))


@pytest.mark.parametrize(
    "proof",
    [
        made({"typ": "JWT"}),
        made({"typ": None}),
        made({"kid": "did:example:1#0"}),
        made({"x5c": ["MII"]}),
        made({"jwk": None}),
        made({"jwk": export_private_jwk(KEY)}),
        made({"jwk": export_public_jwk(generate_key())}),
        made({"jwk": export_public_jwk(generate_key("ES256"))}),
        made(aud="https://other.example"),
        made(aud=[ISSUER]),
        made(aud=None),
        made(iss="client"),
        made(iat=None),
        made(iat="1701960444"),
        made(iat=True),
        made(iat=NOW_S + 61),
        made(iat=NOW_S - 361),
        made(nonce=None),
        made(nonce=""),
        made(nonce=5),
        made()[:-4] + "AAAA",
        "",
        "a.b.c",
    ],
    ids=count(),
)
def test_wrong_proof_is_refused(proof: str) -> None:
    with pytest.raises(ClientError):
        verify(proof)


def test_refusals_say_what_is_wrong() -> None:
    with pytest.raises(HolderBindingError, match="aud"):
        verify(made(aud="https://other.example"))
    with pytest.raises(CredentialFormatError, match="typ"):
        verify(made({"typ": "JWT"}))


@pytest.mark.parametrize("issued_at", [NOW_S + 60, NOW_S - 360, float(NOW_S)])
def test_proof_at_the_edge_of_its_time_verifies(issued_at: float) -> None:
    assert verify(made(iat=issued_at)).nonce == "n"


@given(text=st.text(max_size=100) | st.from_regex(r"[\w-]{1,40}\.[\w-]{1,40}\.[\w-]{1,40}"))
def test_any_text_raises_only_our_own_errors(text: str) -> None:
    with pytest.raises(ClientError):
        verify(text)
