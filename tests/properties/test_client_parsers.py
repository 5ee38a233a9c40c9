"""Whatever comes from outside, the SDK's parsers raise errors of the SDK, and no others.

`make soak` gives them a million inputs together.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mutation import encode_anyhow, mutate_bytes, mutate_json, mutate_text

from chaincode.encoding import JsonObject, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials import jose
from client_sdk.credentials import sd_jwt_vc as vc
from client_sdk.credentials.bitstring_status_list import (
    Bitstring,
    StatusEntry,
    build_list_credential,
)
from client_sdk.credentials.data_integrity import sign_document, verify_document
from client_sdk.credentials.multikey import decode_multikey
from client_sdk.credentials.sd_jwt import parse_sd_jwt
from client_sdk.credentials.token_status_list import (
    StatusList,
    StatusReference,
    verify_status_list,
)
from client_sdk.credentials.w3c_vc import parse_date_time_stamp, validate_credential
from client_sdk.did.document import DidDocument
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver, did_jwk, did_key
from client_sdk.didcomm.message import Message
from client_sdk.didcomm.out_of_band import parse_invitation
from client_sdk.errors import ClientError, VaultFormatError
from client_sdk.escrow.access_log import verify_head
from client_sdk.escrow.deposit_statement import verify_statement
from client_sdk.escrow.paper_backup import parse_paper_share
from client_sdk.escrow.protection import Protection
from client_sdk.escrow.recovery_card import RecoveryCard, parse_recovery_card
from client_sdk.formats import (
    FORMATS,
    CredentialTerms,
    ExpectedBinding,
    HolderBinding,
    find_format,
)
from client_sdk.http.client import HttpAnswer
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.ledger.batches import Inclusion
from client_sdk.ledger.credential_place import CredentialPlace
from client_sdk.ledger.proofs import decode_proof
from client_sdk.openid4vci.certificate_chain import claimed_x5c_key, encode_x5c
from client_sdk.openid4vci.credential_offer import parse_offer, parse_offer_link
from client_sdk.openid4vci.issuer_metadata import IssuerMetadata, find_published_key
from client_sdk.openid4vci.key_proof import sign_key_proof, verify_key_proof
from client_sdk.openid4vci.message_encryption import parse_response_encryption
from client_sdk.openid4vp.access_certificate import create_access_authority
from client_sdk.openid4vp.client_identifier import parse_client_id
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.grant_offer import GrantProof, parse_grant_offer
from client_sdk.openid4vp.request_link import parse_link
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.response import open_response, read_response
from client_sdk.openid4vp.signed_request import verify_request
from client_sdk.openid4vp.verifier_registration import read_registration
from client_sdk.strict_json import JsonFields, parse_strict_json
from client_sdk.verification.bitstring_reading import VC_JWT_MEDIA_TYPE, read_bits
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import StoredRefresh

INPUTS = 1_000_000 if os.environ.get("TEGATA_SOAK") else 40_000
BATCH: Final = 250
OUR_ERRORS = (ClientError, DecodeError)
NOW_S = 1_800_000_000
KEY = jose.generate_key("EdDSA")
JWK = jose.export_public_jwk(KEY)
URL = "https://city.example"
AUDIENCE, NONCE = "x509_san_dns:bank.example", "vGAmmyQwxTJV2LlEIvFIxQ"
RESOLVER = DidResolver({"jwk": DidJwk(), "key": DidKey()})
BINDING = ExpectedBinding(audience=AUDIENCE, nonce=NONCE, max_age_s=300)
TERMS = CredentialTerms(
    credential_type="urn:tegata:credential:resident:1",
    attributes={"address": {"locality": "青葉市"}, "name": "花子", "list": ["a", "b"]},
    concealed=[("name",), ("address",), ("address", "locality"), ("list", 0)],
    more={"tegata": {"record": "00" * 16}, "status": {"status_list": {"idx": 1, "uri": URL}}},
    issuer_url=URL,
    issuer_did=did_key(KEY),
    key_id=did_key(KEY).removeprefix("did:key:"),
    holder_key=JWK,
    issued_at=NOW_S,
    expires_at=NOW_S + 100,
)
PLACE: JsonObject = {
    "ledger": "ab" * 32,
    "issuer": "city@tegata",
    "record": "00" * 16,
    "salt": "A" * 22,
    "account": "abc@holder",
}
DCQL: JsonObject = {
    "credentials": [
        {
            "id": "resident",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:tegata:credential:resident:1"]},
            "claims": [
                {"id": "a", "path": ["address", "locality"], "values": ["x", 1, True]},
                {"id": "b", "path": ["list", None, 0]},
            ],
            "claim_sets": [["a"], ["a", "b"]],
            "multiple": True,
            "trusted_authorities": [{"type": "aki", "values": ["x"]}],
            "require_cryptographic_holder_binding": False,
        },
        {"id": "w3c", "format": "ldp_vc", "meta": {"type_values": [["VerifiableCredential"]]}},
    ],
    "credential_sets": [{"options": [["resident"], ["w3c"]], "required": False}],
}
REQUEST: JsonObject = {
    "iss": AUDIENCE,
    "aud": "https://self-issued.me/v2",
    "client_id": AUDIENCE,
    "response_type": "vp_token",
    "response_mode": "direct_post.jwt",
    "response_uri": f"{URL}/response",
    "nonce": NONCE,
    "state": "abc",
    "iat": NOW_S,
    "exp": NOW_S + 100,
    "dcql_query": DCQL,
    "transaction_data": ["e30"],
    "client_metadata": {
        "vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"]}},
        "jwks": {
            "keys": [{"kty": "EC", "crv": "P-256", "use": "enc", "kid": "1", "alg": "ECDH-ES"}]
        },
    },
}
OFFER: JsonObject = {
    "credential_issuer": URL,
    "credential_configuration_ids": ["resident"],
    "grants": {
        "urn:ietf:params:oauth:grant-type:pre-authorized_code": {
            "pre-authorized_code": "abc",
            "tx_code": {"input_mode": "numeric", "length": 6},
        },
        "authorization_code": {"issuer_state": "x"},
    },
}
METADATA: JsonObject = {
    "credential_issuer": URL,
    "credential_endpoint": f"{URL}/credential",
    "nonce_endpoint": f"{URL}/nonce",
    "batch_credential_issuance": {"batch_size": 4},
    "credential_response_encryption": {"alg_values_supported": ["ECDH-ES"]},
    "credential_configurations_supported": {
        "resident": {"format": "dc+sd-jwt", "vct": "x", "credential_metadata": {"display": [{}]}},
        "w3c": {
            "format": "ldp_vc",
            "credential_definition": {"type": ["VerifiableCredential", "x"]},
        },
    },
    "tegata": PLACE,
}
DOCUMENT: JsonObject = {"id": did_key(KEY), **RESOLVER.resolve(did_key(KEY)).to_json()}
GRANT: JsonObject = {
    "tegata": {**PLACE, "grant": "00" * 16, "opening": "A" * 22, "inclusion": {"batch": "00" * 16}},
    "transaction_data_hashes": ["x"],
}
WALLET: JsonObject = {
    "seed": "A" * 43,
    "trust_anchors": "",
    "account": {"account_id": "a@b", "ledger_id": "x", "torii": "x", "registered_by": "x"},
    "credentials": [{"record_id": "x", "format": "dc+sd-jwt", "text": "x", "expires_at_ms": 1}],
    "grants": [{"grant_id": "x", "attributes": [["a"]]}],
}
REFRESH: JsonObject = {
    "refresh_id": "x",
    "issuer_url": URL,
    "server_url": URL,
    "configuration_id": "resident",
    "trusted_issuer": None,
    "is_one_time": True,
    "token": "x",
    "dpop_jwk": jose.export_private_jwk(jose.generate_key("ES256")),
}
CHAIN = encode_x5c(
    create_access_authority(name="x", now=datetime.fromtimestamp(NOW_S, tz=UTC)).chain
)
STATUS: JsonObject = {
    "sub": URL,
    "iat": NOW_S,
    "exp": NOW_S + 10,
    "ttl": 100,
    "status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ"},
}
ENTRY: JsonObject = {
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "94567",
    "statusListCredential": URL,
}
BITS_CREDENTIAL = build_list_credential(
    Bitstring(),
    url=URL,
    issuer=URL,
    purpose="revocation",
    valid_from="2026-01-31T09:00:00Z",
    valid_until="2036-01-31T09:00:00Z",
)
BITS_DOCUMENT = sign_document(
    BITS_CREDENTIAL, key=KEY, verification_method=f"{URL}#x", purpose="assertionMethod"
)
CARD = RecoveryCard.draw(agent_set="ab" * 32, urls=(URL, f"{URL}/2", f"{URL}/3"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """What is called, with what it is called when all is well."""

    call: Callable[[Any], object]
    seeds: tuple[Any, ...]
    typ: str | None = None

    def attack(self, chance: random.Random) -> None:
        """Call it with one hostile input."""
        seed = chance.choice(self.seeds)
        if self.typ is not None and chance.random() < 0.7:
            # A token whose signature holds: what is behind it is reached.
            hostile = sign(self.typ, mutate_json(seed, chance))
        else:
            if self.typ is not None:
                seed = sign(self.typ, seed)
            mutate: Any = mutate_json
            if isinstance(seed, str | bytes):
                mutate = mutate_text if isinstance(seed, str) else mutate_bytes
            hostile = mutate(seed, chance)
        try:
            self.call(hostile)
        except OUR_ERRORS:
            pass
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} of {hostile!r}") from error


def sign(typ: str, payload: Any) -> str:
    """Return a JWT, whatever its payload is."""
    header = encode_base64url(encode_anyhow({"alg": "EdDSA", "typ": typ, "jwk": JWK, "kid": "x"}))
    signing_input = f"{header}.{encode_base64url(encode_anyhow(payload))}"
    signature = jose.sign_bytes(signing_input.encode(), KEY)
    return f"{signing_input}.{encode_base64url(signature)}"


def verifying(name: str, *, is_bound: bool) -> Callable[[Any], object]:
    """Return what verifies a presentation of a format."""
    return lambda value: find_format(name).verify(
        find_format(name).from_wire(value),
        find_issuer_key=lambda _read: KEY,
        expected_types=[[TERMS.credential_type]],
        binding=BINDING if is_bound else None,
        now_s=NOW_S,
        leeway_s=10,
    )


def format_parsers() -> dict[str, Parser]:
    """Return the parsers of every format."""
    found = {}
    for name, kind in FORMATS.items():
        credential = kind.issue(TERMS, KEY)
        presentation = kind.present(
            credential,
            paths=[(*kind.attribute_prefix, "address")],
            holder_key=KEY,
            binding=HolderBinding(audience=AUDIENCE, nonce=NONCE, issued_at=NOW_S),
        )
        wires = (kind.to_wire(credential), kind.to_wire(presentation))
        found |= {
            f"{name} read": Parser(
                call=lambda value, kind=kind: kind.read(kind.from_wire(value)), seeds=wires
            ),
            f"{name} text": Parser(call=kind.read, seeds=(credential,)),
            f"{name} is_bound": Parser(call=kind.is_bound, seeds=(credential, presentation)),
            f"{name} hash": Parser(call=kind.anchored_hash, seeds=(credential, presentation)),
            f"{name} credential": Parser(call=verifying(name, is_bound=False), seeds=wires),
            f"{name} presentation": Parser(call=verifying(name, is_bound=True), seeds=wires),
        }
    ldp: Any = find_format("ldp_vc").to_wire(find_format("ldp_vc").issue(TERMS, KEY))
    unsigned = {name: value for name, value in ldp.items() if name != "proof"}
    return {
        **found,
        "vc+jwt signed": Parser(
            call=verifying("jwt_vc_json", is_bound=False), seeds=(unsigned,), typ="vc+jwt"
        ),
        "vp+jwt signed": Parser(
            call=verifying("jwt_vc_json", is_bound=True),
            seeds=({"verifiableCredential": [unsigned], "nonce": NONCE, "aud": AUDIENCE},),
            typ="vp+jwt",
        ),
        "dc+sd-jwt signed": Parser(
            call=lambda token: verifying("dc+sd-jwt", is_bound=False)(f"{token}~"),
            seeds=(
                {"vct": TERMS.credential_type, "_sd": ["x"], "cnf": {"jwk": JWK}, **TERMS.more},
            ),
            typ=vc.CREDENTIAL_TYP,
        ),
    }


def status_parsers() -> dict[str, Parser]:
    """Return the parsers of status lists."""
    return {
        "status list token": Parser(
            call=lambda token: verify_status_list(
                token, issuer_key=KEY, expected_uri=URL, now_s=NOW_S, leeway_s=0
            ),
            seeds=(STATUS,),
            typ="statuslist+jwt",
        ),
        "status list": Parser(
            call=lambda text: StatusList.decode(text, bits=1), seeds=("eNrbuRgAAhcBXQ",)
        ),
        "status reference": Parser(call=StatusReference.from_claim, seeds=(TERMS.more["status"],)),
        "bitstring entry": Parser(call=StatusEntry.from_json, seeds=(ENTRY,)),
        "bitstring list": Parser(
            call=lambda token: read_bits(
                HttpAnswer(
                    status=200,
                    media_type=VC_JWT_MEDIA_TYPE,
                    body=token.encode("utf-8", "surrogatepass"),
                ),
                entry=StatusEntry.from_json(ENTRY),
                keys={"x": KEY},
                now_s=NOW_S,
                leeway_s=0,
                default_ttl_s=300,
            ),
            seeds=(BITS_CREDENTIAL,),
            typ="vc+jwt",
        ),
        "bitstring document": Parser(
            call=lambda value: read_bits(
                HttpAnswer(status=200, media_type="application/vc", body=encode_anyhow(value)),
                entry=StatusEntry.from_json(ENTRY),
                keys={"x": KEY},
                now_s=NOW_S,
                leeway_s=0,
                default_ttl_s=300,
            ),
            seeds=(BITS_DOCUMENT,),
        ),
        "bitstring": Parser(
            call=Bitstring.decode, seeds=("uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAA",)
        ),
    }


PARSERS: dict[str, Parser] = {
    **format_parsers(),
    **status_parsers(),
    "strict JSON": Parser(call=parse_strict_json, seeds=(encode_anyhow(DCQL), b'{"a":[1,{}]}')),
    "JWT": Parser(call=jose.parse_compact, seeds=(sign("x", DCQL),)),
    "SD-JWT": Parser(call=parse_sd_jwt, seeds=("e30.e30.e30~WyJhIiwiYiIsMV0~",)),
    "public JWK": Parser(
        call=jose.parse_public_jwk,
        seeds=(JWK, jose.export_public_jwk(jose.generate_key("ES256"))),
    ),
    "private JWK": Parser(
        call=jose.parse_private_jwk,
        seeds=(
            jose.export_private_jwk(KEY),
            jose.export_private_jwk(jose.generate_key("ES256")),
        ),
    ),
    "Multikey": Parser(call=decode_multikey, seeds=(did_key(KEY)[8:], "zDnaerx9CtbPJ1q36T5Ln5wYt")),
    "DID": Parser(call=RESOLVER.resolve, seeds=(did_key(KEY), did_jwk(KEY))),
    "DID URL": Parser(
        call=lambda url: RESOLVER.key(url, "authentication"), seeds=(f"{did_jwk(KEY)}#0",)
    ),
    "DID document": Parser(
        call=lambda value: (
            isinstance(value, dict) and DidDocument.from_json(value, expected_did=did_key(KEY))
        ),
        seeds=(DOCUMENT,),
    ),
    "W3C credential": Parser(
        call=lambda value: isinstance(value, dict) and validate_credential(value),
        seeds=({"@context": ["x"], "type": ["VerifiableCredential"], "issuer": {"id": "a:b"}},),
    ),
    "dateTimeStamp": Parser(
        call=lambda value: parse_date_time_stamp(value, "x"), seeds=("2026-01-31T09:00:00Z",)
    ),
    "Data Integrity": Parser(
        call=lambda value: (
            isinstance(value, dict)
            and verify_document(
                value,
                find_key=lambda _url: KEY,
                expected_purpose="assertionMethod",
                now_s=NOW_S,
                leeway_s=0,
            )
        ),
        seeds=(find_format("ldp_vc").to_wire(find_format("ldp_vc").issue(TERMS, KEY)),),
    ),
    "DCQL": Parser(call=parse_query, seeds=(DCQL,)),
    "request object": Parser(
        call=lambda value: isinstance(value, dict) and PresentationRequest.from_claims(value),
        seeds=(REQUEST,),
    ),
    "signed request": Parser(
        call=lambda token: verify_request(
            token, expected_client_id=AUDIENCE, trust_anchors=(), now_s=NOW_S
        ),
        seeds=(REQUEST,),
        typ="oauth-authz-req+jwt",
    ),
    "request link": Parser(
        call=parse_link,
        seeds=(
            "openid4vp://?client_id=x509_san_dns%3Abank.example&request_uri=https%3A%2F%2Fb.example",
        ),
    ),
    "client identifier": Parser(
        call=parse_client_id, seeds=(AUDIENCE, f"decentralized_identifier:{did_key(KEY)}")
    ),
    "grant offer": Parser(
        call=parse_grant_offer,
        seeds=(encode_base64url(encode_anyhow({"type": "tegata_grant", **PLACE})),),
    ),
    "grant proof": Parser(
        call=lambda value: isinstance(value, dict) and GrantProof.from_claims(value),
        seeds=(GRANT,),
    ),
    "response": Parser(
        call=lambda value: isinstance(value, dict) and read_response(value),
        seeds=({"vp_token": {"resident": ["x~"]}, "state": "s"}, {"error": "access_denied"}),
    ),
    "response form": Parser(
        call=lambda text: open_response([("response", text)], response_key=None),
        seeds=("a.b.c.d.e",),
    ),
    "registration": Parser(
        call=read_registration, seeds=({"sub": AUDIENCE, "claims": [["a"]]},), typ="rc-rp+jwt"
    ),
    "offer": Parser(call=parse_offer, seeds=(encode_anyhow(OFFER),)),
    "offer link": Parser(
        call=parse_offer_link,
        seeds=(
            "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fcity.example%2Fo",
            "openid-credential-offer://?credential_offer=%7B%7D",
        ),
    ),
    "issuer metadata": Parser(
        call=lambda value: (
            isinstance(value, dict) and IssuerMetadata.from_fields(value, expected_issuer=URL)
        ),
        seeds=(METADATA,),
    ),
    "issuer keys": Parser(
        call=lambda value: (
            isinstance(value, dict) and find_published_key(value, expected_issuer=URL, kid="x")
        ),
        seeds=({"issuer": URL, "jwks": {"keys": [{**JWK, "kid": "x"}]}},),
    ),
    "response encryption": Parser(
        call=parse_response_encryption,
        seeds=({"jwk": {**JWK, "alg": "ECDH-ES", "kid": "1"}, "enc": "A128GCM"},),
    ),
    "key proof": Parser(
        call=lambda token: verify_key_proof(
            token, expected_issuer=URL, now_s=NOW_S, max_age_s=100, leeway_s=0
        ),
        seeds=(sign_key_proof(holder_key=KEY, issuer_url=URL, nonce="n", issued_at=NOW_S),),
    ),
    "key proof signed": Parser(
        call=lambda token: verify_key_proof(
            token, expected_issuer=URL, now_s=NOW_S, max_age_s=100, leeway_s=0
        ),
        seeds=({"aud": URL, "iat": NOW_S, "nonce": "n", "tegata_account": "a@b"},),
        typ="openid4vci-proof+jwt",
    ),
    "x5c": Parser(
        call=lambda value: isinstance(value, dict) and claimed_x5c_key(value),
        seeds=({"x5c": CHAIN},),
    ),
    "place": Parser(call=CredentialPlace.from_claim, seeds=(PLACE,)),
    "inclusion": Parser(
        call=Inclusion.from_json, seeds=({"batch": "00" * 16, "index": 3, "path": ["A" * 43]},)
    ),
    "state proof": Parser(call=decode_proof, seeds=("e30", "AAAA")),
    "endpoint": Parser(call=lambda value: parse_endpoint(value, "x"), seeds=(f"{URL}:8443/a?b",)),
    "recovery card": Parser(call=parse_recovery_card, seeds=(CARD.encode(),)),
    "paper share": Parser(
        call=parse_paper_share, seeds=("academic acid acrobat romp change", "academic " * 33)
    ),
    "protection": Parser(
        call=Protection.from_fields, seeds=({"card": CARD.encode(), "agents": []},)
    ),
    "deposit statement": Parser(
        call=lambda token: verify_statement(token, expected_handle="00" * 16),
        seeds=({"handle": "00" * 16, "account": "a@b", "iat": NOW_S},),
        typ="tegata-deposit+jwt",
    ),
    "log head": Parser(
        call=lambda token: verify_head(token, expected_handle="00" * 16),
        seeds=({"handle": "00" * 16, "size": 1, "root": "ab" * 32},),
        typ="tegata-log-head+jwt",
    ),
    "DIDComm message": Parser(
        call=Message.from_json,
        seeds=(
            {"id": "1", "type": "https://didcomm.org/x/1.0/y", "body": {}, "attachments": [{}]},
        ),
    ),
    "invitation": Parser(
        call=lambda text: parse_invitation(text, goal_code="streamlined-vp"),
        seeds=(f"{URL}?_oob={encode_base64url(encode_anyhow({'id': '1', 'body': {}}))}",),
    ),
    "wallet": Parser(call=WalletContents.from_fields, seeds=(WALLET,)),
    "refresh token": Parser(
        call=lambda value: StoredRefresh.from_fields(
            JsonFields(value, what="the refresh token", error=VaultFormatError)
        ),
        seeds=(REFRESH,),
    ),
}


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=-(-INPUTS // (BATCH * len(PARSERS))), deadline=None)
@given(seed=st.integers(0, 2**64 - 1))
def test_only_errors_of_ours_come_out(name: str, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(BATCH):
        PARSERS[name].attack(chance)
