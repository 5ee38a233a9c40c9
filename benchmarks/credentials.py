"""Issuing, presenting and verifying a resident's credential, beside PyPI `sd-jwt`.

Both sides get keys that are already parsed, and the same claims and disclosures.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from jwcrypto.jwk import JWK  # type: ignore[import-untyped]
from nacl.signing import SigningKey
from sd_jwt.common import SDObj  # type: ignore[import-untyped]
from sd_jwt.holder import SDJWTHolder  # type: ignore[import-untyped]
from sd_jwt.issuer import SDJWTIssuer  # type: ignore[import-untyped]
from sd_jwt.verifier import SDJWTVerifier  # type: ignore[import-untyped]

from benchmarks.figures import Figure, Step, Unit, best_microseconds
from chaincode.encoding import JsonObject
from client_sdk.credentials import jose
from client_sdk.credentials import sd_jwt_vc as vc
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE

_PEER: Final = f"sd-jwt {version('sd-jwt')}"
_BARE: Final = "two bare signature checks"
_ISSUER: Final = "https://city.example"
_AUDIENCE: Final = "x509_san_dns:bank.example"
_NONCE: Final = "vGAmmyQwxTJV2LlEIvFIxQ"
_ISSUED_AT, _EXPIRES_AT = 1_700_000_000, 4_000_000_000
_SHOWN: Final = "address"


def _claims() -> JsonObject:
    portrait = (files("node.cli.demo") / "portrait.jpg").read_bytes()
    return {
        "name": "手形 花子",
        "address": "青葉県青葉市緑町三丁目14番15号",
        "municipality": "青葉市",
        "birth_date": "1990-04-01",
        "age_over_18": True,
        "sex": "2",
        "portrait": "data:image/jpeg;base64," + base64.b64encode(portrait).decode(),
        "credential_number": "7K3WQ-0D2MV-X9T4B-5NHRC",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    issuer: jose.Key
    holder: jose.Key
    their_issuer: JWK
    their_holder: JWK


def credential_steps() -> Sequence[Step]:
    """Return what is measured here."""
    return [
        Step(name=f"{verb} {algorithm}", take=partial(take, algorithm))
        for algorithm in (jose.ES256, jose.EDDSA)
        for verb, take in (("issue", _issue), ("present", _present), ("verify", _verify))
    ]


def _issue(algorithm: str) -> Iterator[Figure]:
    keys, claims = _make_keys(algorithm), _claims()
    their_claims = {
        "iss": _ISSUER,
        "iat": _ISSUED_AT,
        "exp": _EXPIRES_AT,
        "vct": RESIDENT_CREDENTIAL_TYPE,
        **{SDObj(name): value for name, value in claims.items()},
    }
    taken = best_microseconds(
        {
            "ours": lambda: _our_credential(keys, claims),
            _PEER: lambda: SDJWTIssuer(
                their_claims,
                keys.their_issuer,
                keys.their_holder,
                sign_alg=algorithm,
                extra_header_parameters={"typ": vc.CREDENTIAL_TYP},
            ),
        }
    )
    yield _figure("issue, 8 disclosures", algorithm, taken)


def _present(algorithm: str) -> Iterator[Figure]:
    keys = _make_keys(algorithm)
    credential = _our_credential(keys, _claims())
    taken = best_microseconds(
        {
            "ours": lambda: _our_presentation(keys, credential),
            _PEER: lambda: _their_presentation(keys, credential),
        }
    )
    yield _figure("present one attribute", algorithm, taken)
    # Both keep what they parsed, as a wallet does between the consent screen and the answer.
    held, holder = vc.parse_credential(credential), SDJWTHolder(credential)
    taken = best_microseconds(
        {
            "ours": lambda: held.present(
                paths=[(_SHOWN,)],
                holder_key=keys.holder,
                audience=_AUDIENCE,
                nonce=_NONCE,
                issued_at=_ISSUED_AT,
            ),
            _PEER: lambda: _their_answer(keys, holder),
        }
    )
    yield _figure("present one attribute of a parsed credential", algorithm, taken)


def _verify(algorithm: str) -> Iterator[Figure]:
    keys = _make_keys(algorithm)
    presentation = _our_presentation(keys, _our_credential(keys, _claims()))
    actions: dict[str, Callable[[], object]] = {
        "ours": lambda: vc.verify_presentation(
            presentation,
            find_issuer_key=lambda _header, _payload: keys.issuer,
            expected_vcts=(RESIDENT_CREDENTIAL_TYPE,),
            expected_audience=_AUDIENCE,
            expected_nonce=_NONCE,
            now_s=_ISSUED_AT,
            max_age_s=300,
            leeway_s=0,
        ),
        _BARE: _bare_checks(algorithm),
    }
    # The peer verifies key bindings by ES256 alone.
    if algorithm == jose.ES256:
        actions[_PEER] = lambda: SDJWTVerifier(
            presentation, lambda _issuer, _header: keys.their_issuer, _AUDIENCE, _NONCE
        ).get_verified_payload()
    yield _figure("verify one attribute", algorithm, best_microseconds(actions))


def _figure(name: str, algorithm: str, taken: dict[str, float]) -> Figure:
    return Figure(
        group="credentials",
        name=f"{name}, {algorithm}",
        unit=Unit.MICROSECONDS,
        value=taken.pop("ours"),
        peers=taken,
    )


def _make_keys(algorithm: str) -> _Keys:
    issuer, holder = jose.generate_key(algorithm), jose.generate_key(algorithm)
    return _Keys(
        issuer=issuer,
        holder=holder,
        their_issuer=JWK(**jose.export_private_jwk(issuer)),
        their_holder=JWK(**jose.export_private_jwk(holder)),
    )


def _our_credential(keys: _Keys, claims: JsonObject) -> str:
    return vc.issue_credential(
        claims=claims,
        concealed=[(name,) for name in claims],
        vct=RESIDENT_CREDENTIAL_TYPE,
        issuer=_ISSUER,
        issuer_key=keys.issuer,
        issued_at=_ISSUED_AT,
        expires_at=_EXPIRES_AT,
        holder_key=jose.export_public_jwk(keys.holder),
    )


def _our_presentation(keys: _Keys, credential: str) -> str:
    return vc.present_credential(
        credential,
        paths=[(_SHOWN,)],
        holder_key=keys.holder,
        audience=_AUDIENCE,
        nonce=_NONCE,
        issued_at=_ISSUED_AT,
    )


def _their_presentation(keys: _Keys, credential: str) -> str:
    return _their_answer(keys, SDJWTHolder(credential))


def _their_answer(keys: _Keys, holder: SDJWTHolder) -> str:
    holder.create_presentation(
        {_SHOWN: True}, _NONCE, _AUDIENCE, keys.their_holder, jose.algorithm_of(keys.holder)
    )
    presentation: str = holder.sd_jwt_presentation
    return presentation


def _bare_checks(algorithm: str) -> Callable[[], object]:
    """Return the two signature checks that no verifier can do without, on bytes of that size."""
    issuer_payload = json.dumps({"_sd": ["x" * 43] * 8, "cnf": {"jwk": {"x": "x" * 43}}}).encode()
    holder_payload = b"x" * 300
    if algorithm == jose.EDDSA:
        key = SigningKey.generate()
        signed = [(data, key.sign(data).signature) for data in (issuer_payload, holder_payload)]
        return lambda: [key.verify_key.verify(data, signature) for data, signature in signed]
    ec_key, ecdsa = generate_private_key(SECP256R1()), ECDSA(SHA256())
    public = ec_key.public_key()
    made = [(data, ec_key.sign(data, ecdsa)) for data in (issuer_payload, holder_payload)]
    return lambda: [public.verify(signature, data, ecdsa) for data, signature in made]
