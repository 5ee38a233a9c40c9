"""What of a wallet answers a query, and what it has to disclose (OpenID4VP 1.0 section 6.4).

A credential of any format is a `CredentialView` here: its types, its claims, and what can be kept
back of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import RequestError
from client_sdk.openid4vp.claims_path import ClaimsPath, name_path, resolve_path, sort_paths
from client_sdk.openid4vp.dcql_query import (
    SD_JWT_VC,
    W3C_FORMATS,
    ClaimsQuery,
    CredentialQuery,
    DcqlQuery,
    Scalar,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialView:
    """A credential as a query sees it.

    Attributes:
        format: Its credential format identifier.
        types: All its types: `vct` and `aka_vcts`, or the fully expanded types of a W3C credential.
        claims: Its claims; in a presentation, those that are shown.
        disclosed_paths: The claims among them that can be kept back. In a presentation positions
            may count elements of arrays that are not shown.
        authorities: Who certified its issuer: kind and name, as `trusted_authorities` has them.
        is_bound: Whether its holder can prove, or has proved, to be the one it was issued to.
        identity: The same for two presentations of one credential.
    """

    format: str
    types: frozenset[str]
    claims: JsonObject = field(repr=False)
    disclosed_paths: tuple[tuple[str | int, ...], ...] = ()
    authorities: frozenset[tuple[str, str]] = frozenset()
    is_bound: bool = True
    identity: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedClaims:
    """What of one credential answers one credential query.

    Attributes:
        asked: The claims of the combination that is answered, as the query writes them; sorted.
        places: Where exactly they are in the credential.
    """

    asked: tuple[ClaimsPath, ...]
    places: tuple[ClaimsPath, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerableSet:
    """A credential set query, with the options that can be answered.

    Attributes:
        options: Sets of credential query ids, the verifier's preference first.
        required: Whether one of them must be answered.
    """

    options: tuple[tuple[str, ...], ...]
    required: bool


def select_claims(query: CredentialQuery, credential: CredentialView) -> SelectedClaims:
    """Return what a credential would disclose: the first combination that it has whole.

    Raises:
        RequestError: It is of another kind, or has none of the combinations.
    """
    mismatch = find_mismatch(query, credential)
    if mismatch is not None:
        raise RequestError(f"query {query.id}: {mismatch}")
    missing: str | None = None
    for combination in query.combinations():
        places: list[ClaimsPath] = []
        for claim in combination:
            found = _places(credential.claims, claim)
            if not found:
                missing = missing or _tell_missing(credential.claims, claim)
                break
            places += found
        else:
            return SelectedClaims(
                asked=sort_paths({claim.path for claim in combination}), places=tuple(places)
            )
    raise RequestError(f"query {query.id}: {missing}")


def find_mismatch(query: CredentialQuery, credential: CredentialView) -> str | None:
    """Return why a credential is not of the kind that is asked for; None where it is."""
    if credential.format != query.format:
        return f"it asks for the format {query.format}"
    if not _is_of_type(query, credential.types):
        return "it asks for a credential of another type"
    if query.holder_binding and not credential.is_bound:
        return "it asks for a credential that is bound to its holder"
    wanted = {
        (authorities.type, value)
        for authorities in query.trusted_authorities
        for value in authorities.values
    }
    if wanted and wanted.isdisjoint(credential.authorities):
        return "it asks for an issuer that another authority certified"
    return None


def find_sets(query: DcqlQuery, unanswered: Mapping[str, str]) -> tuple[AnswerableSet, ...]:
    """Return what of each set can be answered.

    Args:
        query: What is asked.
        unanswered: The ids of the credential queries that no credential answers, and why.

    Raises:
        RequestError: Nothing answers a set that is required; the text says why.
    """
    sets: list[AnswerableSet] = []
    for asked in query.sets:
        options = tuple(option for option in asked.options if unanswered.keys().isdisjoint(option))
        if asked.required and not options:
            missing = (name for option in asked.options for name in option if name in unanswered)
            raise RequestError(unanswered[next(missing)], code="access_denied")
        sets.append(AnswerableSet(options=options, required=asked.required))
    return tuple(sets)


def _is_of_type(query: CredentialQuery, types: frozenset[str]) -> bool:
    if query.format == SD_JWT_VC:
        return not types.isdisjoint(query.vct_values)
    if query.format in W3C_FORMATS:
        return any(types.issuperset(wanted) for wanted in query.type_values)
    return False


def _places(claims: JsonObject, claim: ClaimsQuery) -> list[ClaimsPath]:
    """Return where a claim is; an element without a value asked for is as if it were not there."""
    found = resolve_path(claims, claim.path)
    if not claim.values:
        return list(found)
    return [place for place, value in found.items() if _is_one_of(value, claim.values)]


def _tell_missing(claims: JsonObject, claim: ClaimsQuery) -> str:
    if resolve_path(claims, claim.path):
        return f"{name_path(claim.path)} has none of the values asked for"
    return f"the credential has no {name_path(claim.path)}"


def _is_one_of(value: JsonValue, wanted: tuple[Scalar, ...]) -> bool:
    return any(type(value) is type(choice) and value == choice for choice in wanted)
