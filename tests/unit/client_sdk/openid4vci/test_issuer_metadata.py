import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.credentials.jose import export_public_jwk, generate_key, thumbprint
from client_sdk.errors import ClientError, OfferError
from client_sdk.openid4vci.issuer_metadata import (
    MAX_BATCH_SIZE,
    AccountService,
    CredentialConfiguration,
    IssuerMetadata,
    build_key_metadata,
    find_published_key,
    well_known_url,
)
from client_sdk.openid4vci.server_metadata import ServerMetadata

ISSUER = "https://issuer.example"
METADATA = IssuerMetadata(
    credential_issuer=ISSUER,
    credential_endpoint=f"{ISSUER}/credential",
    nonce_endpoint=f"{ISSUER}/nonce",
    configurations={
        "resident": CredentialConfiguration(credential_type="urn:x", name="Certificate")
    },
    accounts=AccountService(
        accounts_endpoint=f"{ISSUER}/accounts",
        holder_domain="holder",
        ledger_id="ab" * 32,
        issuer_account="city@issuer",
    ),
)


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        # OpenID4VCI 1.0 section 12.2.2
        (
            "https://issuer.example.com/tenant",
            "https://issuer.example.com/.well-known/openid-credential-issuer/tenant",
        ),
        (
            "https://tenant.issuer.example.com",
            "https://tenant.issuer.example.com/.well-known/openid-credential-issuer",
        ),
        ("https://a.example:8443/", "https://a.example:8443/.well-known/openid-credential-issuer"),
    ],
)
def test_well_known_goes_before_the_path(identifier: str, url: str) -> None:
    assert well_known_url(identifier, "openid-credential-issuer") == url


def test_published_metadata_is_read_back() -> None:
    assert IssuerMetadata.from_fields(METADATA.to_fields(), expected_issuer=ISSUER) == METADATA
    server = ServerMetadata(issuer=ISSUER, token_endpoint=f"{ISSUER}/token")
    assert ServerMetadata.from_fields(server.to_fields(), expected_issuer=ISSUER) == server


def test_no_issuer_makes_a_wallet_ask_for_a_million_keys() -> None:
    fields = METADATA.to_fields() | {"batch_credential_issuance": {"batch_size": 10**9}}
    read = IssuerMetadata.from_fields(fields, expected_issuer=ISSUER)
    assert read.batch_size == MAX_BATCH_SIZE


def test_other_formats_are_left_out() -> None:
    fields: dict[str, Any] = METADATA.to_fields()
    supported = fields["credential_configurations_supported"]
    supported["mdoc"] = {"format": "mso_mdoc", "doctype": "x"}
    supported["broken"] = {"format": "dc+sd-jwt"}
    supported["odd"] = []
    known = IssuerMetadata.from_fields(fields, expected_issuer=ISSUER)
    assert set(known.configurations) == {"resident"}


@pytest.mark.parametrize(
    "changes",
    [
        {"credential_issuer": "https://other.example"},
        {"credential_issuer": f"{ISSUER}/"},
        {"credential_endpoint": "http://issuer.example/credential"},
        {"credential_endpoint": None},
        {"nonce_endpoint": 5},
        {"credential_configurations_supported": []},
        {"authorization_servers": ["http://as.example"]},
        {"tegata": {}},
        {"tegata": {**METADATA.accounts.to_fields(), "ledger": "x"}},
        {"tegata": {**METADATA.accounts.to_fields(), "issuer": "x"}},
        {"tegata": {**METADATA.accounts.to_fields(), "holder_domain": "a b"}},
        {"tegata": {**METADATA.accounts.to_fields(), "accounts_endpoint": "http://x.example"}},
    ],
)
def test_unacceptable_metadata_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(OfferError):
        IssuerMetadata.from_fields({**METADATA.to_fields(), **changes}, expected_issuer=ISSUER)


def test_metadata_of_another_server_is_refused() -> None:
    fields = ServerMetadata(issuer=ISSUER, token_endpoint=f"{ISSUER}/token").to_fields()
    with pytest.raises(OfferError):
        ServerMetadata.from_fields(fields, expected_issuer="https://other.example")


def test_key_is_found_by_its_id_only() -> None:
    key, other = generate_key(), generate_key("ES256")
    fields: dict[str, Any] = build_key_metadata(ISSUER, (other, key))
    found = find_published_key(fields, expected_issuer=ISSUER, kid=thumbprint(key))
    assert export_public_jwk(found) == export_public_jwk(key)
    assert all("d" not in jwk for jwk in fields["jwks"]["keys"])
    for kid in ("another", None, 5, []):
        with pytest.raises(OfferError):
            find_published_key(fields, expected_issuer=ISSUER, kid=kid)
    with pytest.raises(OfferError):
        find_published_key(fields, expected_issuer=f"{ISSUER}/x", kid=thumbprint(key))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(name=st.sampled_from([*METADATA.to_fields(), "jwks", "issuer"]), value=json_values)
def test_parsers_raise_only_our_own_errors(name: str, value: Any) -> None:
    fields = {**METADATA.to_fields(), name: value}
    for parse in (
        lambda: IssuerMetadata.from_fields(fields, expected_issuer=ISSUER),
        lambda: ServerMetadata.from_fields(fields, expected_issuer=ISSUER),
        lambda: find_published_key({**fields, "issuer": ISSUER}, expected_issuer=ISSUER, kid="x"),
        lambda: find_published_key(
            {"issuer": ISSUER, "jwks": {"keys": [{"kid": "x", "kty": value}, value]}},
            expected_issuer=ISSUER,
            kid="x",
        ),
    ):
        with contextlib.suppress(ClientError):
            parse()
