"""Whether what a wallet shows is what a query asked for: no less, no more, nothing else.

The verifier's side of OpenID4VP 1.0 sections 6.4 and 8.6. Values that a query restricts a claim to
are not looked at: a verifier must not rely on them (section 6.4.1).
"""

from collections.abc import Mapping, Sequence

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import RequestMismatchError
from client_sdk.openid4vp.claims_path import ClaimsPath, name_path, resolve_path, sort_paths
from client_sdk.openid4vp.dcql_query import ClaimsQuery, CredentialQuery, DcqlQuery
from client_sdk.openid4vp.dcql_selection import CredentialView, find_mismatch

_Place = tuple[str | int, ...]


def check_answer(query: DcqlQuery, answer: Mapping[str, Sequence[object]]) -> None:
    """Check that the credentials of an answer are those that were asked for.

    Args:
        query: What was asked.
        answer: What is shown, by the id of the credential query; only its number counts here.

    Raises:
        RequestMismatchError: A required credential is missing, or one was not asked for.
    """
    for query_id, shown in answer.items():
        asked = query.find(query_id)
        if asked is None:
            raise RequestMismatchError("the wallet showed a credential that was not asked for")
        if not shown or (len(shown) > 1 and not asked.multiple):
            raise RequestMismatchError(f"one presentation for {query_id} is expected")
    needed: set[str] = set()
    for asked_set in query.sets:
        answered = [option for option in asked_set.options if set(option) <= answer.keys()]
        if asked_set.required and not answered:
            raise RequestMismatchError("the wallet did not show every credential asked for")
        needed.update(*answered)
    if not answer.keys() <= needed:
        raise RequestMismatchError("the wallet showed a credential that was not asked for")


def check_credential(
    query: CredentialQuery,
    shown: CredentialView,
    *,
    also_asked: Sequence[CredentialQuery] = (),
) -> tuple[tuple[ClaimsPath, ...], ...]:
    """Check that a presentation shows what was asked, and nothing more.

    Args:
        query: What was asked.
        shown: What is shown.
        also_asked: Other queries of the request that the same credential answers: what they ask for
            may be shown along (section 6.4).

    Returns:
        The combinations of claims that it answers, the preferred first; each sorted.

    Raises:
        RequestMismatchError: Another kind of credential, a claim is missing, or one was not asked
            for.
    """
    mismatch = find_mismatch(query, shown)
    if mismatch is not None:
        raise RequestMismatchError(f"query {query.id}: {mismatch}")
    gaps = _arrays_with_gaps(shown)
    along = {claim.path for other in also_asked for claim in other.claims}
    answered: list[tuple[ClaimsPath, ...]] = []
    refusal: RequestMismatchError | None = None
    for combination in query.combinations():
        try:
            _check_combination(combination, shown, gaps, along)
        except RequestMismatchError as error:
            refusal = refusal or error
        else:
            answered.append(sort_paths({claim.path for claim in combination}))
    if not answered:
        raise refusal or RequestMismatchError(f"query {query.id}: nothing is answered")
    return tuple(answered)


def only_asked(paths: Sequence[ClaimsPath], claims: JsonObject) -> JsonObject:
    """Return the claims at `paths`, without what came along with them.

    Members of objects keep their place; what is below an array is taken with the whole array.
    """
    kept: JsonObject = {}
    for path in paths:
        source: JsonValue = claims
        target = kept
        for position, name in enumerate(path):
            if not isinstance(source, dict) or not isinstance(name, str) or name not in source:
                break
            following = path[position + 1 :]
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


def _check_combination(
    combination: tuple[ClaimsQuery, ...],
    shown: CredentialView,
    gaps: frozenset[ClaimsPath],
    along: set[ClaimsPath],
) -> None:
    for claim in combination:
        if not resolve_path(shown.claims, _without_positions(claim.path, gaps)):
            raise RequestMismatchError(f"the wallet did not show {name_path(claim.path)}")
    asked = {claim.path for claim in combination} | along
    for place in shown.disclosed_paths:
        if not any(_is_on_the_way(place, path, gaps) for path in asked):
            raise RequestMismatchError(
                f"the wallet showed {name_path(place)}, which was not asked for"
            )
    _check_elements(shown.disclosed_paths, asked, gaps)


def _check_elements(
    places: tuple[_Place, ...], asked: set[ClaimsPath], gaps: frozenset[ClaimsPath]
) -> None:
    """Check that of an array no more elements are shown than positions were asked for.

    Which position an element had cannot be told where others before it are not shown, and decoys
    may stand between them.
    """
    shown: dict[_Place, set[int]] = {}
    for place in places:
        last = place[-1]
        if isinstance(last, int):
            shown.setdefault(place[:-1], set()).add(last)
    for array, positions in shown.items():
        depth = len(array)
        steps = [
            path[depth] if len(path) > depth else None
            for path in asked
            if _is_on_the_way(array, path, gaps)
        ]
        if None not in steps and len(positions) > len(set(steps)):
            raise RequestMismatchError(
                f"the wallet showed more of {name_path(array)} than was asked for"
            )


def _arrays_with_gaps(shown: CredentialView) -> frozenset[ClaimsPath]:
    """Return the arrays whose elements can be kept back singly, with None for every position."""
    return frozenset(
        _pattern(place[:-1]) for place in shown.disclosed_paths if isinstance(place[-1], int)
    )


def _pattern(place: _Place) -> ClaimsPath:
    return tuple(None if isinstance(step, int) else step for step in place)


def _without_positions(path: ClaimsPath, gaps: frozenset[ClaimsPath]) -> ClaimsPath:
    """Return a path that takes any element of an array with gaps instead of one by its position."""
    pattern = tuple(None if isinstance(step, int) else step for step in path)
    return tuple(
        None if isinstance(step, int) and pattern[:position] in gaps else step
        for position, step in enumerate(path)
    )


def _is_on_the_way(place: _Place, asked: ClaimsPath, gaps: frozenset[ClaimsPath]) -> bool:
    """Whether what is disclosed at `place` is `asked`, holds it, or is a part of it."""
    wanted = _without_positions(asked, gaps)
    return all(
        step == element or (element is None and isinstance(step, int))
        for step, element in zip(place, wanted, strict=False)
    )
