"""Which credentials and claims a verifier asks for: DCQL (OpenID4VP 1.0 section 6).

Supported: credentials of the format `dc+sd-jwt`, with claims and expected values. A query that uses
another part of the language is refused, since to ignore it would show more, or other, than asked.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import RequestError, RequestMismatchError
from client_sdk.openid4vp.plain_text import is_plain_text

FORMAT: Final = "dc+sd-jwt"
MAX_CREDENTIALS: Final = 16
MAX_CLAIMS: Final = 64
MAX_TEXT_CHARS: Final = 256

PathElement: TypeAlias = str | int | None
ClaimsPath: TypeAlias = tuple[PathElement, ...]
"""A claims path pointer (section 7): a name, an index, or None for all elements of an array."""
Scalar: TypeAlias = str | int | bool

_MAX_PATH_ELEMENTS: Final = 16
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNSUPPORTED_IN_CREDENTIAL: Final = ("claim_sets", "trusted_authorities")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsQuery:
    """One claim that is asked for.

    Attributes:
        path: Where it is in the credential.
        id: Its name within the query, or None.
        values: The values of interest, or none for any. The wallet looks at them; a verifier must
            not rely on it (section 6.4.1).
    """

    path: ClaimsPath
    id: str | None = None
    values: tuple[Scalar, ...] = ()

    def to_fields(self) -> JsonObject:
        """Return the JSON form."""
        fields: JsonObject = {"path": list(self.path)}
        if self.id is not None:
            fields["id"] = self.id
        if self.values:
            fields["values"] = list(self.values)
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialQuery:
    """One credential that is asked for.

    Attributes:
        id: Its name within the query and the response.
        vct_values: The credential types that will do; at least one.
        claims: The claims to show; none asks for no selectively disclosable claim.
    """

    id: str
    vct_values: tuple[str, ...]
    claims: tuple[ClaimsQuery, ...] = ()

    def to_fields(self) -> JsonObject:
        """Return the JSON form."""
        fields: JsonObject = {
            "id": self.id,
            "format": FORMAT,
            "meta": {"vct_values": list(self.vct_values)},
        }
        if self.claims:
            fields["claims"] = [claim.to_fields() for claim in self.claims]
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class DcqlQuery:
    """The credentials that are asked for, all of them; at least one, each id once."""

    credentials: tuple[CredentialQuery, ...]

    def to_fields(self) -> JsonObject:
        """Return the JSON form: the value of `dcql_query`."""
        return {"credentials": [credential.to_fields() for credential in self.credentials]}


def build_query(*, query_id: str, vct: str, attributes: tuple[str, ...]) -> DcqlQuery:
    """Return the query for top-level claims of one credential.

    Raises:
        RequestError: The id, the type or an attribute is empty, too long or there twice.
    """
    claims = tuple(ClaimsQuery(path=(name,)) for name in attributes)
    query = DcqlQuery(credentials=(CredentialQuery(id=query_id, vct_values=(vct,), claims=claims),))
    if parse_query(query.to_fields()) != query:
        raise RequestError("dcql_query: the same attribute is asked for twice")
    return query


def parse_query(value: JsonValue) -> DcqlQuery:
    """Return the query that a request's `dcql_query` stands for; unknown members are ignored.

    Raises:
        RequestError: Not a DCQL query, larger than a wallet reads, or it uses `credential_sets`,
            `claim_sets`, `multiple`, `trusted_authorities`, another format, or credentials without
            holder binding.
    """
    fields = _object(value, "dcql_query")
    if "credential_sets" in fields:
        raise RequestError("dcql_query: credential_sets is not supported")
    items = _items(fields.get("credentials"), "dcql_query.credentials", MAX_CREDENTIALS)
    credentials = tuple(
        _parse_credential(item, f"dcql_query.credentials[{place}]")
        for place, item in enumerate(items)
    )
    if len({credential.id for credential in credentials}) != len(credentials):
        raise RequestError("dcql_query.credentials: the same id stands there twice")
    return DcqlQuery(credentials=credentials)


def select_paths(query: CredentialQuery, *, vct: str, claims: JsonObject) -> tuple[ClaimsPath, ...]:
    """Return the paths that a held credential has to disclose to satisfy the query.

    Args:
        query: What is asked.
        vct: The held credential's type.
        claims: All its claims, with those that are selectively disclosable.

    Raises:
        RequestError: The credential is of another type, lacks a claim, or has none of the values.
    """
    if vct not in query.vct_values:
        raise RequestError(f"query {query.id}: it asks for a credential of another type")
    for claim in query.claims:
        found = resolve_path(claims, claim.path)
        if not found:
            raise RequestError(f"query {query.id}: the credential has no {name_path(claim.path)}")
        if claim.values and not any(_is_one_of(value, claim.values) for value in found.values()):
            raise RequestError(
                f"query {query.id}: {name_path(claim.path)} has none of the values asked for"
            )
    return tuple(claim.path for claim in query.claims)


def check_disclosed(
    query: CredentialQuery,
    *,
    vct: str,
    claims: JsonObject,
    disclosed_paths: tuple[ClaimsPath, ...],
) -> None:
    """Check that a presentation shows what was asked, and nothing more.

    Args:
        query: What was asked.
        vct: The presented credential's type.
        claims: The presented claims, after disclosure.
        disclosed_paths: Where the selectively disclosable claims among them are.

    Raises:
        RequestMismatchError: Another type, a claim is missing, or one was not asked for.
    """
    if vct not in query.vct_values:
        raise RequestMismatchError("the wallet showed a credential of another type")
    for claim in query.claims:
        if not resolve_path(claims, claim.path):
            raise RequestMismatchError(f"the wallet did not show {name_path(claim.path)}")
    for path in disclosed_paths:
        if not any(_is_on_the_way(path, claim.path) for claim in query.claims):
            raise RequestMismatchError(
                f"the wallet showed {name_path(path)}, which was not asked for"
            )


def only_asked(query: CredentialQuery, claims: JsonObject) -> JsonObject:
    """Return the claims that a query asks for, without what came along with them.

    Members of objects keep their place; what is below an array is taken with the whole array.
    """
    kept: JsonObject = {}
    for claim in query.claims:
        source: JsonValue = claims
        target = kept
        for position, name in enumerate(claim.path):
            if not isinstance(source, dict) or not isinstance(name, str) or name not in source:
                break
            following = claim.path[position + 1 :]
            source = source[name]
            if following and isinstance(source, dict) and isinstance(following[0], str):
                below = target.setdefault(name, {})
                if not isinstance(below, dict):
                    break
                target = below
            else:
                target[name] = source
                break
    return kept


def resolve_path(claims: JsonObject, path: ClaimsPath) -> dict[ClaimsPath, JsonValue]:
    """Return the values that a claims path pointer selects, by their places (section 7.1.1).

    It is empty where nothing is selected, also where the specification speaks of an error.
    """
    selected: dict[ClaimsPath, JsonValue] = {(): claims}
    for element in path:
        following: dict[ClaimsPath, JsonValue] = {}
        for place, value in selected.items():
            if isinstance(element, str) and isinstance(value, dict):
                if element in value:
                    following[*place, element] = value[element]
            elif element is None and isinstance(value, list):
                following.update({(*place, index): item for index, item in enumerate(value)})
            elif isinstance(element, int) and isinstance(value, list):
                if element < len(value):
                    following[*place, element] = value[element]
            else:
                return {}
        selected = following
    return selected


def name_path(path: ClaimsPath) -> str:
    """Return a path as people read it: `address`, `nationalities[0]`, `degrees[*].type`."""
    text = ""
    for element in path:
        if isinstance(element, str):
            text += f".{element}" if text else element
        else:
            text += "[*]" if element is None else f"[{element}]"
    return text


def _parse_credential(value: JsonValue, where: str) -> CredentialQuery:
    fields = _object(value, where)
    for name in _UNSUPPORTED_IN_CREDENTIAL:
        if name in fields:
            raise RequestError(f"{where}: {name} is not supported")
    if fields.get("multiple", False) is not False:
        raise RequestError(f"{where}: multiple is not supported")
    if fields.get("require_cryptographic_holder_binding", True) is not True:
        raise RequestError(f"{where}: a credential is shown only with holder binding")
    if fields.get("format") != FORMAT:
        raise RequestError(f"{where}: only the format {FORMAT} is supported")
    meta = _object(fields.get("meta"), f"{where}.meta")
    types = _items(meta.get("vct_values"), f"{where}.meta.vct_values", MAX_CREDENTIALS)
    claims: dict[ClaimsPath, ClaimsQuery] = {}
    if "claims" in fields:
        items = _items(fields["claims"], f"{where}.claims", MAX_CLAIMS)
        for place, item in enumerate(items):
            claim = _parse_claim(item, f"{where}.claims[{place}]")
            # A wallet should ignore a second query for the same claim (section 6.1).
            claims.setdefault(claim.path, claim)
    ids = [claim.id for claim in claims.values() if claim.id is not None]
    if len(set(ids)) != len(ids):
        raise RequestError(f"{where}.claims: the same id stands there twice")
    return CredentialQuery(
        id=_id(fields.get("id"), where),
        vct_values=tuple(_text(item, f"{where}.meta.vct_values") for item in types),
        claims=tuple(claims.values()),
    )


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


def _object(value: JsonValue, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise RequestError(f"{where}: a JSON object is expected")
    return value


def _items(value: JsonValue, where: str, most: int) -> list[JsonValue]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise RequestError(f"{where}: a list of 1 to {most} items is expected")
    return value


def _is_one_of(value: JsonValue, wanted: tuple[Scalar, ...]) -> bool:
    return any(type(value) is type(choice) and value == choice for choice in wanted)


def _is_on_the_way(path: ClaimsPath, asked: ClaimsPath) -> bool:
    """Whether a disclosure at `path` is `asked`, holds it, or is a part of it."""
    return all(
        element == wanted or (wanted is None and isinstance(element, int))
        for element, wanted in zip(path, asked, strict=False)
    )
