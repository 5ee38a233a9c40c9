"""The claims that SD-JWT VC gives a meaning to (draft-ietf-oauth-sd-jwt-vc-18 section 2.2.2)."""

from collections.abc import Collection, Iterable
from typing import Final

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, parse_public_jwk
from client_sdk.credentials.selective_disclosure import Path
from client_sdk.errors import (
    CredentialFormatError,
    HolderBindingError,
    KeyFormatError,
    RequestMismatchError,
)

NEVER_CONCEALED: Final = frozenset(
    {"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"}
)
"""Claims that no disclosure may hold, nor any of their sub-claims."""
PLACE_CLAIM: Final = "tegata"
"""Our own claim: where the credential's record is on the ledger, the salt of its hash, and its
holder's account where the wallet named one."""


def has_open_claim(paths: Iterable[Path]) -> bool:
    """Tell whether a path leads to or into one of `NEVER_CONCEALED`."""
    return any(path[:1] and path[0] in NEVER_CONCEALED for path in paths)


def validate_claims(claims: JsonObject) -> None:
    """Refuse claims whose registered members have another form than the draft gives them.

    Raises:
        CredentialFormatError: `vct` is absent; `iss`, `status` or `aka_vcts` is malformed.
    """
    if not isinstance(claims.get("vct"), str):
        raise CredentialFormatError("vct: the credential's type is required, as text")
    if not isinstance(claims.get("iss", ""), str):
        raise CredentialFormatError("iss must be text")
    if not isinstance(claims.get("status", {}), dict):
        raise CredentialFormatError("status must be an object")
    if "aka_vcts" in claims and claims["vct"] in types_of(claims)[1:]:
        raise CredentialFormatError("aka_vcts may not hold vct itself")


def validate_type(claims: JsonObject, expected_vcts: Collection[str]) -> None:
    """Refuse a credential of a type that was not asked for.

    Raises:
        RequestMismatchError: Neither `vct` nor one of `aka_vcts` is among `expected_vcts`.
    """
    if not any(name in expected_vcts for name in types_of(claims)):
        raise RequestMismatchError("the credential is of another type (vct) than was asked for")


def holder_key_of(claims: JsonObject) -> Key | None:
    """Return the key that a credential is bound to, `None` when it is bound to none (RFC 7800).

    Raises:
        HolderBindingError: `cnf` holds something else than a public JWK on Ed25519 or P-256.
    """
    if "cnf" not in claims:
        return None
    match claims["cnf"]:
        case {"jwk": jwk}:
            try:
                return parse_public_jwk(jwk)
            except KeyFormatError as error:
                raise HolderBindingError(f"cnf: {error}") from None
        case _:
            raise HolderBindingError("cnf: a holder's key in jwk is expected")


def bound_jwk_of(claims: JsonObject) -> JsonObject | None:
    """Return the members of the JWK in `cnf` that make a key; `None` where there is no JWK.

    It is compared with a key that is at hand; `holder_key_of` checks that it is one.
    """
    match claims.get("cnf"):
        case {"jwk": dict() as jwk}:
            return {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}
        case _:
            return None


def types_of(claims: JsonObject) -> list[str]:
    """Return the type of a credential, and the others that it is known as (`aka_vcts`).

    Raises:
        CredentialFormatError: One of them is malformed.
    """
    names = [claims.get("vct")]
    if "aka_vcts" in claims:
        others = claims["aka_vcts"]
        if not isinstance(others, list) or not others:
            raise CredentialFormatError("aka_vcts must be an array of types")
        names += others
    types = [name for name in names if isinstance(name, str)]
    if len(types) != len(names):
        raise CredentialFormatError("vct and aka_vcts must be text")
    return types
