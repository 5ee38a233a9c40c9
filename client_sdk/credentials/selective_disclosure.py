"""What the issuer conceals, the holder selects and the verifier sees revealed (RFC 9901).

A path names a claim as if all were disclosed: member names and array positions from the root, such
as `("address", "locality")`. Pure, but for the salts.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from secrets import token_bytes, token_urlsafe
from typing import Final, TypeAlias

from chaincode.encoding import JsonObject, JsonValue, encode_base64url
from client_sdk.credentials.sd_jwt import DEFAULT_HASH, Disclosure, digest_of, hash_algorithm_of
from client_sdk.errors import CredentialFormatError, DisclosureError, RequestError
from client_sdk.strict_json import MAX_DEPTH, encode_validated_json, validate_json

Path: TypeAlias = tuple[str | int, ...]
PathPattern: TypeAlias = tuple[str | int | None, ...]
"""A path in which `None` stands for every element of an array, as in DCQL."""

_SALT_BYTES: Final = 16
_RESERVED_NAMES: Final = frozenset({"_sd", "...", "_sd_alg"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Concealed:
    """What an issuer signs, and what it hands to the holder beside it.

    Attributes:
        payload: The claims with digests in place of the concealed ones.
        disclosures: One for each concealed claim.
    """

    payload: JsonObject = field(repr=False)
    disclosures: tuple[Disclosure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """What the disclosures at hand show.

    Attributes:
        claims: The processed payload: no digests, no undisclosed claims.
        disclosed: The claims that were concealed, parents first, with the disclosure of each.
            Positions count the undisclosed elements of an array too.
    """

    claims: JsonObject = field(repr=False)
    disclosed: tuple[tuple[Path, Disclosure], ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of the disclosed claims."""
        return tuple(path for path, _ in self.disclosed)


def conceal(claims: JsonObject, paths: Collection[Path], *, decoy_count: int = 0) -> Concealed:
    """Put digests in place of the claims at `paths` (section 4.2).

    A concealed claim may hold concealed claims; each is then disclosed singly, with its parent.
    An issuer of several credentials needs a new call for each, so that no salt is used twice.

    Args:
        claims: All claims; not changed.
        paths: The claims that the holder may keep back.
        decoy_count: Digests of nothing, added wherever something is concealed, so that a verifier
            cannot count what it does not see.

    Raises:
        CredentialFormatError: There is no claim at a path; a claim is not JSON, has a name that
            SD-JWT reserves (`_sd`, `_sd_alg`, `...`) or is nested deeper than `MAX_DEPTH`.
    """
    validate_json(claims)
    _refuse_reserved_names(claims, 1)
    marks = _mark(claims, paths)
    concealer = _Concealer(decoy_count)
    payload = concealer.conceal_object(claims, marks)
    if concealer.disclosures:
        payload["_sd_alg"] = DEFAULT_HASH
    return Concealed(payload=payload, disclosures=tuple(concealer.disclosures))


@dataclass(slots=True)
class _Marks:
    is_concealed: bool = False
    children: "dict[str | int, _Marks]" = field(default_factory=dict)


def _mark(claims: JsonObject, paths: Collection[Path]) -> _Marks:
    marks = _Marks()
    for path in paths:
        if not path or not has_claim(claims, path):
            raise CredentialFormatError(f"there is no claim to conceal at {list(path)}")
        branch = marks
        for step in path:
            branch = branch.children.setdefault(step, _Marks())
        branch.is_concealed = True
    return marks


class _Concealer:
    def __init__(self, decoy_count: int) -> None:
        self._decoy_count = decoy_count
        self.disclosures: list[Disclosure] = []

    def conceal_object(self, members: JsonObject, marks: _Marks) -> JsonObject:
        payload: JsonObject = {}
        digests: list[str] = []
        for name, value in members.items():
            below = marks.children.get(name)
            if below is None:
                payload[name] = value
            elif below.is_concealed:
                digests.append(self._disclose(name, self._conceal_value(value, below)))
            else:
                payload[name] = self._conceal_value(value, below)
        if digests:
            # Sorted, they tell nothing of the claims' order (section 4.2.4.1).
            payload["_sd"] = [*sorted(digests + self._build_decoys())]
        return payload

    def _conceal_array(self, elements: list[JsonValue], marks: _Marks) -> list[JsonValue]:
        payload: list[JsonValue] = []
        for position, value in enumerate(elements):
            below = marks.children.get(position)
            if below is None:
                payload.append(value)
            elif below.is_concealed:
                payload.append({"...": self._disclose(None, self._conceal_value(value, below))})
            else:
                payload.append(self._conceal_value(value, below))
        if any(below.is_concealed for below in marks.children.values()):
            # Behind the elements: a decoy between them would shift the positions of paths.
            payload.extend({"...": decoy} for decoy in self._build_decoys())
        return payload

    def _conceal_value(self, value: JsonValue, marks: _Marks) -> JsonValue:
        if isinstance(value, dict):
            return self.conceal_object(value, marks)
        if isinstance(value, list):
            return self._conceal_array(value, marks)
        return value

    def _disclose(self, name: str | None, value: JsonValue) -> str:
        salt = encode_base64url(token_bytes(_SALT_BYTES))
        contents: list[JsonValue] = [salt, value] if name is None else [salt, name, value]
        encoded = encode_base64url(encode_validated_json(contents))
        disclosure = Disclosure(salt=salt, name=name, value=value, encoded=encoded)
        self.disclosures.append(disclosure)
        return disclosure.digest()

    def _build_decoys(self) -> list[str]:
        return [digest_of(token_urlsafe(_SALT_BYTES)) for _ in range(self._decoy_count)]


def reveal(
    payload: JsonObject, disclosures: Iterable[Disclosure], *, counts_concealed: bool = True
) -> Revealed:
    """Put the disclosed claims back into the payload (section 7.1, steps 3 to 5).

    Args:
        payload: The issuer-signed payload.
        disclosures: What is at hand.
        counts_concealed: Whether positions in paths count the undisclosed elements of an array too,
            as the issuer's do. Otherwise they are those in the revealed claims.

    Raises:
        DisclosureError: Any rejection of section 7.1: an unknown `_sd_alg`, or one below the root;
            a digest twice, however deep; a disclosure that no digest refers to or of the wrong
            kind; a reserved or already taken name; `_sd` or `...` of the wrong form; too deep.
    """
    return _Revealer(payload, disclosures, counts_concealed=counts_concealed).reveal()


def select_disclosures(
    revealed: Revealed, paths: Collection[PathPattern]
) -> tuple[Disclosure, ...]:
    """Choose the disclosures that show the claims at `paths`, and no others.

    With a claim come the parents it is concealed in, and all that is concealed within it.

    Args:
        revealed: All that the holder has, with positions as in its claims.
        paths: Where the claims are.

    Raises:
        RequestError: There is no claim at a path.
    """
    for path in paths:
        if not path or not has_claim(revealed.claims, path):
            raise RequestError(f"the credential has no claim at {list(path)}")
    return tuple(
        disclosure
        for place, disclosure in revealed.disclosed
        if any(_is_same_branch(place, path) for path in paths)
    )


class _Revealer:
    """One pass over a payload; it copies what it changes and nothing else."""

    def __init__(
        self, payload: JsonObject, disclosures: Iterable[Disclosure], *, counts_concealed: bool
    ) -> None:
        algorithm = hash_algorithm_of(payload)
        self._payload = payload
        self._counts_concealed = counts_concealed
        self._unused: dict[str, Disclosure] = {}
        for disclosure in disclosures:
            digest = disclosure.digest(algorithm)
            if digest in self._unused:
                raise DisclosureError("the same disclosure stands there twice")
            self._unused[digest] = disclosure
        self._seen: set[str] = set()
        self._disclosed: list[tuple[Path, Disclosure]] = []

    def reveal(self) -> Revealed:
        root = {name: value for name, value in self._payload.items() if name != "_sd_alg"}
        claims = self._reveal_object(root, ())
        if self._unused:
            raise DisclosureError(
                f"{len(self._unused)} disclosures do not belong to this credential"
            )
        return Revealed(claims=claims, disclosed=tuple(self._disclosed))

    def _reveal_value(self, value: JsonValue, path: Path) -> JsonValue:
        if type(value) is dict:
            return self._reveal_object(value, path)
        if type(value) is list:
            return self._reveal_array(value, path)
        return value

    def _reveal_object(self, members: JsonObject, path: Path) -> JsonObject:
        if len(path) >= MAX_DEPTH:
            raise DisclosureError(f"claims nested deeper than {MAX_DEPTH} levels")
        claims: JsonObject = {}
        for name, value in members.items():
            if name in _RESERVED_NAMES:
                if name != "_sd":
                    raise DisclosureError(f"{name!r} stands where it may not")
            elif type(value) is dict or type(value) is list:
                claims[name] = self._reveal_value(value, (*path, name))
            else:
                claims[name] = value
        digests = members.get("_sd", [])
        if not isinstance(digests, list):
            raise DisclosureError("_sd: an array of digests is expected")
        for digest in digests:
            disclosure = self._take(digest)
            if disclosure is not None:
                name = _free_name(disclosure, claims)
                place = (*path, name)
                self._disclosed.append((place, disclosure))
                claims[name] = self._reveal_value(disclosure.value, place)
        return claims

    def _reveal_array(self, elements: list[JsonValue], path: Path) -> JsonValue:
        if len(path) >= MAX_DEPTH:
            raise DisclosureError(f"claims nested deeper than {MAX_DEPTH} levels")
        claims: list[JsonValue] = []
        position = 0
        for element in elements:
            value = element
            if isinstance(element, dict) and "..." in element:
                if len(element) != 1:
                    raise DisclosureError("'...' stands beside other members")
                disclosure = self._take(element["..."])
                if disclosure is None:
                    position += self._counts_concealed
                    continue
                if disclosure.name is not None:
                    raise DisclosureError("a member is disclosed where an element is expected")
                self._disclosed.append(((*path, position), disclosure))
                value = disclosure.value
            claims.append(self._reveal_value(value, (*path, position)))
            position += 1
        return claims

    def _take(self, digest: JsonValue) -> Disclosure | None:
        if not isinstance(digest, str):
            raise DisclosureError("a digest must be text")
        if digest in self._seen:
            raise DisclosureError("the same digest stands there twice")
        self._seen.add(digest)
        return self._unused.pop(digest, None)


def _free_name(disclosure: Disclosure, claims: JsonObject) -> str:
    name = disclosure.name
    if name is None:
        raise DisclosureError("an array element is disclosed where a member is expected")
    if name in _RESERVED_NAMES:
        raise DisclosureError(f"a disclosure may not be named {name!r}")
    if name in claims:
        raise DisclosureError("a disclosure's name is already taken in its object")
    return name


def has_claim(claims: JsonObject, path: PathPattern) -> bool:
    """Tell whether `path` leads to at least one claim."""
    level: list[JsonValue] = [claims]
    for step in path:
        inner: list[JsonValue] = []
        for item in level:
            if isinstance(item, dict) and isinstance(step, str):
                if step in item:
                    inner.append(item[step])
            elif isinstance(item, list) and step is None:
                inner.extend(item)
            elif isinstance(item, list) and isinstance(step, int) and 0 <= step < len(item):
                inner.append(item[step])
        level = inner
    return bool(level)


def _is_same_branch(place: Path, pattern: PathPattern) -> bool:
    """Tell whether one is the other, above it or below it."""
    for step, wanted in zip(place, pattern, strict=False):
        if step != wanted and not (wanted is None and isinstance(step, int)):
            return False
    return True


def _refuse_reserved_names(value: JsonValue, depth: int) -> None:
    if not isinstance(value, dict | list):
        return
    if depth > MAX_DEPTH:
        raise CredentialFormatError(f"claims nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict) and not _RESERVED_NAMES.isdisjoint(value):
        raise CredentialFormatError(f"claims may not be named {', '.join(sorted(_RESERVED_NAMES))}")
    for inner in value.values() if isinstance(value, dict) else value:
        if type(inner) is not str:
            _refuse_reserved_names(inner, depth + 1)
