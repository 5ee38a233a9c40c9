"""Type Metadata of SD-JWT VC: fetched, extended, held against a credential (draft-18 section 4).

A document of unbounded size, chain or patience is not read; one with an integrity value is kept for
good, one without it as long as its server allows.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol, TypeAlias, cast

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.selective_disclosure import Path, PathPattern, has_claim
from client_sdk.errors import CredentialFormatError, RequestError, TransportError
from client_sdk.http.client import HttpAnswer
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.strict_json import parse_strict_json_object

MAX_EXTENSIONS: Final = 8
MAX_CLAIMS: Final = 256
MAX_DOCUMENT_BYTES: Final = 1 << 18
MAX_CACHED: Final = 256
_MAX_PATH: Final = 16
_MAX_AGE_S: Final = 86_400
_MAX_AGE_DIGITS: Final = 10
_HTTP_OK: Final = 200
_HASHES: Final = ("sha512", "sha384", "sha256")
"""The algorithms of integrity metadata, the strongest first (W3C SRI section 3.2)."""

Sd: TypeAlias = Literal["always", "allowed", "never"]


class Fetcher(Protocol):
    """What the resolver needs of a `client_sdk.http.client.HttpClient`."""

    def get(self, url: str, *, accept: str = "application/json") -> HttpAnswer:
        """Fetch a resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimMetadata:
    """What a type says of the claims at one path (section 4.6).

    Attributes:
        path: Where they are; None for every element of an array.
        sd: Whether the holder must be able to keep them back.
        mandatory: Whether the issuer must include them.
        labels: What people call them, by language tag.
        svg_id: Their name in SVG templates; None for none.
    """

    path: PathPattern
    sd: Sd = "allowed"
    mandatory: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    svg_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeMetadata:
    """A type with all that it extends.

    Attributes:
        vct: The type.
        extends: The types that it extends, the nearest first.
        names: What people call it, by language tag.
        display: The whole display metadata, as published.
        claims: What it says of claims, by path.
    """

    vct: str
    extends: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    display: tuple[JsonObject, ...] = ()
    claims: Mapping[PathPattern, ClaimMetadata] = field(default_factory=dict)

    def check_credential(
        self, claims: JsonObject, *, disclosed_paths: tuple[Path, ...], is_complete: bool
    ) -> None:
        """Refuse a credential that its type does not allow (section 4.6).

        Args:
            claims: The processed payload.
            disclosed_paths: The claims in it that can be kept back.
            is_complete: Whether all disclosures are at hand; a verifier that misses a claim cannot
                tell whether it was kept back.

        Raises:
            CredentialFormatError: A mandatory claim is missing, or one can be kept back against the
                type's rule.
        """
        for claim in self.claims.values():
            concealable = [path for path in disclosed_paths if _is_at(path, claim.path)]
            if claim.sd == "never" and concealable:
                raise CredentialFormatError(
                    f"type metadata: {_name(claim.path)} is never concealed"
                )
            # What is kept back of an array shifts the positions of what is shown.
            is_countable = is_complete or not any(isinstance(step, int) for step in claim.path)
            is_open = is_countable and _count(claims, claim.path) > len(concealable)
            if claim.sd == "always" and is_open:
                raise CredentialFormatError(
                    f"type metadata: {_name(claim.path)} is always concealed"
                )
            if is_complete and claim.mandatory and not has_claim(claims, claim.path):
                raise CredentialFormatError(f"type metadata: {_name(claim.path)} is mandatory")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    own: TypeMetadata
    has_display: bool
    parent: str | None
    parent_integrity: str | None
    patches: Mapping[PathPattern, JsonObject]


class TypeMetadataResolver:
    """Finds the metadata of types. Not for several threads at once."""

    def __init__(
        self,
        http: Fetcher,
        *,
        known: Mapping[str, bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a resolver.

        Args:
            http: Fetches documents; it bounds time and size and follows no redirect.
            known: Documents of types that are not fetched, such as those named by a URN.
            clock: Seconds, of any origin.
        """
        self._http = http
        self._known = known or {}
        self._clock = clock
        self._cache: OrderedDict[tuple[str, str | None], tuple[float, _Document]] = OrderedDict()

    def resolve(self, vct: str, *, integrity: str | None = None) -> TypeMetadata:
        """Return a type's metadata with all that it extends (sections 4.3, 4.4 and 5).

        Args:
            vct: The type.
            integrity: The credential's `vct#integrity`; None where it has none.

        Raises:
            CredentialFormatError: A document is not the one that is named, malformed, changes what
                the type that it extends has settled, or the chain is circular or too long.
            TransportError: A document cannot be had.
        """
        chain: list[_Document] = []
        name: str | None = vct
        while name is not None:
            if any(document.own.vct == name for document in chain):
                raise CredentialFormatError("type metadata: types extend each other in a circle")
            if len(chain) > MAX_EXTENSIONS:
                raise CredentialFormatError(f"type metadata: more than {MAX_EXTENSIONS} extensions")
            document = self._find(name, integrity)
            chain.append(document)
            name, integrity = document.parent, document.parent_integrity
        merged = chain.pop().own
        for document in reversed(chain):
            merged = _extend(merged, document)
        return merged

    def _find(self, vct: str, integrity: str | None) -> _Document:
        key, now = (vct, integrity), self._clock()
        expires, document = self._cache.get(key, (0.0, None))
        if document is not None and now < expires:
            self._cache.move_to_end(key)
            return document
        data, lasts_s = self._load(vct)
        if len(data) > MAX_DOCUMENT_BYTES:
            raise CredentialFormatError(f"type metadata: more than {MAX_DOCUMENT_BYTES} bytes")
        if integrity is not None:
            verify_integrity(data, integrity)
            lasts_s = float("inf")
        document = _parse(parse_strict_json_object(data), expected_vct=vct)
        self._cache[key] = (now + lasts_s, document)
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return document

    def _load(self, vct: str) -> tuple[bytes, float]:
        if vct in self._known:
            return self._known[vct], float("inf")
        try:
            url = parse_endpoint(vct, "vct")
        except RequestError as error:
            raise CredentialFormatError(f"type metadata: {error}") from None
        answer = self._http.get(url)
        if answer.status != _HTTP_OK:
            raise TransportError(f"type metadata: its server answers {answer.status}")
        return answer.body, _max_age(answer)


def verify_integrity(data: bytes, integrity: str) -> None:
    """Refuse a document whose octets are not those of its integrity metadata (section 5).

    Raises:
        CredentialFormatError: They are not, or no algorithm of it is known.
    """
    expressions = [item.partition("?")[0].partition("-") for item in integrity.split()]
    for name in _HASHES:
        values = [value for algorithm, _, value in expressions if algorithm == name]
        if not values:
            continue
        found = hashlib.new(name, data).digest()
        if any(hmac.compare_digest(found, _decode(value)) for value in values):
            return
        raise CredentialFormatError("type metadata: the document is not the one that was named")
    raise CredentialFormatError(f"#integrity: one of {', '.join(_HASHES)} is expected")


def _decode(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _max_age(answer: HttpAnswer) -> float:
    """Return how many seconds an answer may be reused (RFC 9111), at most a day."""
    directives = [
        item.strip().lower() for item in answer.headers.get("cache-control", "").split(",")
    ]
    if "no-store" in directives or "no-cache" in directives:
        return 0
    ages = [item.partition("=")[2] for item in directives if item.startswith("max-age=")]
    if not ages or not ages[0].isdecimal():
        return 0
    # RFC 9111 section 1.2.2: what is too large to read is as long as can be.
    return _MAX_AGE_S if len(ages[0]) > _MAX_AGE_DIGITS else min(int(ages[0]), _MAX_AGE_S)


def _parse(fields: JsonObject, *, expected_vct: str) -> _Document:
    if fields.get("vct") != expected_vct:
        raise CredentialFormatError("type metadata: the document is of another type (vct)")
    parent, integrity = fields.get("extends"), fields.get("extends#integrity")
    if not isinstance(parent, str | None) or not isinstance(integrity, str | None):
        raise CredentialFormatError("type metadata: extends and its integrity are texts")
    display = _objects(fields.get("display", []), "display")
    patches: dict[PathPattern, JsonObject] = {}
    for item in _objects(fields.get("claims", []), "claims"):
        path = _path(item.get("path"))
        if path in patches:
            raise CredentialFormatError(f"type metadata: {_name(path)} is described twice")
        patches[path] = item
    if len(patches) > MAX_CLAIMS:
        raise CredentialFormatError(f"type metadata: more than {MAX_CLAIMS} claims")
    own = TypeMetadata(
        vct=expected_vct,
        names=_texts_by_locale(display, "name"),
        display=display,
        claims={path: _claim(ClaimMetadata(path=path), item) for path, item in patches.items()},
    )
    return _Document(
        own=own,
        has_display="display" in fields,
        parent=parent,
        parent_integrity=integrity,
        patches=patches,
    )


def _extend(base: TypeMetadata, document: _Document) -> TypeMetadata:
    """Return a type with what it inherits (sections 4.5.2 and 4.6.5)."""
    claims = dict(base.claims)
    for path, patch in document.patches.items():
        before = claims.get(path)
        claim = _claim(before or ClaimMetadata(path=path), patch)
        if before is not None and before.sd not in ("allowed", claim.sd):
            raise CredentialFormatError(f"type metadata: sd of {_name(path)} is settled already")
        if before is not None and before.mandatory and not claim.mandatory:
            raise CredentialFormatError(f"type metadata: {_name(path)} stays mandatory")
        claims[path] = claim
    shown = document.own if document.has_display else base
    return replace(
        document.own,
        extends=(base.vct, *base.extends),
        names=shown.names,
        display=shown.display,
        claims=claims,
    )


def _claim(base: ClaimMetadata, item: JsonObject) -> ClaimMetadata:
    sd, mandatory = item.get("sd", base.sd), item.get("mandatory", base.mandatory)
    svg_id = item.get("svg_id", base.svg_id)
    if sd not in ("always", "allowed", "never"):
        raise CredentialFormatError("type metadata: sd is always, allowed or never")
    if not isinstance(mandatory, bool) or not isinstance(svg_id, str | None):
        raise CredentialFormatError("type metadata: mandatory is a truth value, svg_id a text")
    labels = base.labels
    if "display" in item:
        labels = _texts_by_locale(_objects(item["display"], "display"), "label")
    return replace(base, sd=cast(Sd, sd), mandatory=mandatory, svg_id=svg_id, labels=labels)


def _path(value: JsonValue) -> PathPattern:
    items = value if isinstance(value, list) else []
    path = tuple(
        item
        for item in items
        if item is None
        or isinstance(item, str)
        or (isinstance(item, int) and not isinstance(item, bool) and item >= 0)
    )
    if not 1 <= len(path) <= _MAX_PATH or len(path) != len(items):
        raise CredentialFormatError("type metadata: a path is a list of names, indices and null")
    return path


def _objects(value: JsonValue, name: str) -> tuple[JsonObject, ...]:
    items = value if isinstance(value, list) else [None]
    objects = tuple(item for item in items if isinstance(item, dict))
    if len(objects) != len(items):
        raise CredentialFormatError(f"type metadata: {name} is a list of objects")
    return objects


def _texts_by_locale(display: tuple[JsonObject, ...], name: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for item in display:
        locale, text = item.get("locale"), item.get(name)
        if not isinstance(locale, str) or not isinstance(text, str):
            raise CredentialFormatError(f"type metadata: display needs locale and {name}, as texts")
        texts[locale] = text
    return texts


def _is_at(path: Path, pattern: PathPattern) -> bool:
    return len(path) == len(pattern) and all(
        step == wanted or (wanted is None and isinstance(step, int))
        for step, wanted in zip(path, pattern, strict=True)
    )


def _count(claims: JsonObject, pattern: PathPattern) -> int:
    """Return how many claims there are at a path."""
    level: list[JsonValue] = [claims]
    for step in pattern:
        inner: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict) and isinstance(step, str) and step in item:
                inner.append(item[step])
            elif isinstance(item, list) and step is None:
                inner.extend(item)
            elif isinstance(item, list) and isinstance(step, int) and step < len(item):
                inner.append(item[step])
        level = inner
    return len(level)


def _name(path: PathPattern) -> str:
    return ".".join("*" if step is None else str(step) for step in path)
