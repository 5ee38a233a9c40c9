"""Reading queries of DCQL (OpenID4VP 1.0 section 6), and making the simplest one.

Unknown members are ignored, as the specification says; what is known has to be well formed.
"""

import re
from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import RequestError
from client_sdk.openid4vp.claims_path import ClaimsPath, PathElement
from client_sdk.openid4vp.dcql_query import (
    SD_JWT_VC,
    W3C_FORMATS,
    ClaimsQuery,
    CredentialQuery,
    CredentialSetQuery,
    DcqlQuery,
    Scalar,
    TrustedAuthorities,
)
from client_sdk.openid4vp.plain_text import is_plain_text

MAX_CREDENTIALS: Final = 16
MAX_CLAIMS: Final = 64
MAX_OPTIONS: Final = 32
MAX_TEXT_CHARS: Final = 256

_MAX_PATH_ELEMENTS: Final = 16
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def build_query(*, query_id: str, vct: str, attributes: tuple[str, ...]) -> DcqlQuery:
    """Return the query for top-level claims of one SD-JWT VC.

    Raises:
        RequestError: The id, the type or an attribute is empty, too long or there twice.
    """
    claims = tuple(ClaimsQuery(path=(name,)) for name in attributes)
    query = DcqlQuery(credentials=(CredentialQuery(id=query_id, vct_values=(vct,), claims=claims),))
    if parse_query(query.to_fields()) != query:
        raise RequestError("dcql_query: the same attribute is asked for twice")
    return query


def parse_query(value: JsonValue) -> DcqlQuery:
    """Return the query that a request's `dcql_query` stands for.

    Credentials of a format that is not known here are kept: no wallet of ours answers them, but a
    set may have another option.

    Raises:
        RequestError: Not a DCQL query, or larger than a wallet reads.
    """
    fields = _object(value, "dcql_query")
    where = "dcql_query.credentials"
    items = _items(fields.get("credentials"), where, MAX_CREDENTIALS)
    credentials = tuple(
        _parse_credential(item, f"{where}[{place}]") for place, item in enumerate(items)
    )
    ids = [credential.id for credential in credentials]
    if len(set(ids)) != len(ids):
        raise RequestError(f"{where}: the same id stands there twice")
    sets: tuple[CredentialSetQuery, ...] = ()
    if "credential_sets" in fields:
        where = "dcql_query.credential_sets"
        sets = tuple(
            _parse_set(item, f"{where}[{place}]", ids)
            for place, item in enumerate(_items(fields["credential_sets"], where, MAX_CREDENTIALS))
        )
    return DcqlQuery(credentials=credentials, credential_sets=sets)


def _parse_credential(value: JsonValue, where: str) -> CredentialQuery:
    fields = _object(value, where)
    format_name = _text(fields.get("format"), f"{where}.format")
    meta = _object(fields.get("meta"), f"{where}.meta")
    vct_values: tuple[str, ...] = ()
    type_values: tuple[tuple[str, ...], ...] = ()
    if format_name == SD_JWT_VC:
        vct_values = _texts(meta.get("vct_values"), f"{where}.meta.vct_values", MAX_CREDENTIALS)
    elif format_name in W3C_FORMATS:
        name = f"{where}.meta.type_values"
        type_values = tuple(
            _texts(types, name, MAX_CREDENTIALS)
            for types in _items(meta.get("type_values"), name, MAX_CREDENTIALS)
        )
    claims = _parse_claims(fields, where)
    return CredentialQuery(
        id=_id(fields.get("id"), where),
        format=format_name,
        vct_values=vct_values,
        type_values=type_values,
        claims=claims,
        claim_sets=_parse_claim_sets(fields, where, claims),
        multiple=_flag(fields, "multiple", where, default=False),
        trusted_authorities=_parse_authorities(fields, where),
        holder_binding=_flag(fields, "require_cryptographic_holder_binding", where, default=True),
    )


def _parse_claims(fields: JsonObject, where: str) -> tuple[ClaimsQuery, ...]:
    if "claims" not in fields:
        return ()
    claims: dict[ClaimsPath, ClaimsQuery] = {}
    for place, item in enumerate(_items(fields["claims"], f"{where}.claims", MAX_CLAIMS)):
        claim = _parse_claim(item, f"{where}.claims[{place}]")
        # A wallet should ignore a second query for the same claim (section 6.1).
        claims.setdefault(claim.path, claim)
    ids = [claim.id for claim in claims.values() if claim.id is not None]
    if len(set(ids)) != len(ids):
        raise RequestError(f"{where}.claims: the same id stands there twice")
    return tuple(claims.values())


def _parse_claim(value: JsonValue, where: str) -> ClaimsQuery:
    fields = _object(value, where)
    elements = _items(fields.get("path"), f"{where}.path", _MAX_PATH_ELEMENTS)
    values: list[JsonValue] = []
    if "values" in fields:
        values = _items(fields["values"], f"{where}.values", MAX_CLAIMS)
    return ClaimsQuery(
        path=tuple(_path_element(element, f"{where}.path") for element in elements),
        id=_id(fields["id"], where) if "id" in fields else None,
        values=tuple(_scalar(item, f"{where}.values") for item in values),
    )


def _parse_claim_sets(
    fields: JsonObject, where: str, claims: tuple[ClaimsQuery, ...]
) -> tuple[tuple[str, ...], ...]:
    if "claim_sets" not in fields:
        return ()
    where = f"{where}.claim_sets"
    if not claims:
        raise RequestError(f"{where}: it may not be there without claims")
    if any(claim.id is None for claim in claims):
        raise RequestError(f"{where}: every claim needs an id")
    known = {claim.id for claim in claims}
    return tuple(
        _references(names, where, known)
        for names in _items(fields["claim_sets"], where, MAX_OPTIONS)
    )


def _parse_authorities(fields: JsonObject, where: str) -> tuple[TrustedAuthorities, ...]:
    if "trusted_authorities" not in fields:
        return ()
    where = f"{where}.trusted_authorities"
    authorities: list[TrustedAuthorities] = []
    for item in _items(fields["trusted_authorities"], where, MAX_CREDENTIALS):
        entry = _object(item, where)
        kind = _text(entry.get("type"), f"{where}.type")
        values = _texts(entry.get("values"), f"{where}.values", MAX_CLAIMS)
        authorities.append(TrustedAuthorities(type=kind, values=values))
    return tuple(authorities)


def _parse_set(value: JsonValue, where: str, ids: list[str]) -> CredentialSetQuery:
    fields = _object(value, where)
    options = _items(fields.get("options"), f"{where}.options", MAX_OPTIONS)
    return CredentialSetQuery(
        options=tuple(_references(option, f"{where}.options", set(ids)) for option in options),
        required=_flag(fields, "required", where, default=True),
    )


def _references(
    value: JsonValue, where: str, known: "set[str] | set[str | None]"
) -> tuple[str, ...]:
    names = tuple(_id(item, where) for item in _items(value, where, MAX_CLAIMS))
    if not known.issuperset(names):
        raise RequestError(f"{where}: it names an id that is not there")
    return tuple(dict.fromkeys(names))


def _path_element(value: JsonValue, where: str) -> PathElement:
    if value is None or isinstance(value, str):
        return None if value is None else _text(value, where)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise RequestError(f"{where}: a name, an index or null is expected")


def _scalar(value: JsonValue, where: str) -> Scalar:
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        return value
    raise RequestError(f"{where}: a text, a whole number or a truth value is expected")


def _id(value: JsonValue, where: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise RequestError(f"{where}.id: 1 to 64 letters, digits, _ or - are expected")
    return value


def _text(value: JsonValue, where: str) -> str:
    # A name of a claim is shown to the holder, and stands in errors.
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS or not is_plain_text(value):
        raise RequestError(
            f"{where}: a text of 1 to {MAX_TEXT_CHARS} printable characters is expected"
        )
    return value


def _texts(value: JsonValue, where: str, most: int) -> tuple[str, ...]:
    return tuple(_text(item, where) for item in _items(value, where, most))


def _flag(fields: JsonObject, name: str, where: str, *, default: bool) -> bool:
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(f"{where}.{name}: true or false is expected")
    return value


def _object(value: JsonValue, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise RequestError(f"{where}: a JSON object is expected")
    return value


def _items(value: JsonValue, where: str, most: int) -> list[JsonValue]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise RequestError(f"{where}: a list of 1 to {most} items is expected")
    return value
