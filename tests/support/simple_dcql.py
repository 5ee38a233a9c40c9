"""A plain evaluator of DCQL on JSON, written from the specification's text, to compare ours with.

It knows nothing of selective disclosure: a credential is its claims. It says which sets of
credentials are an answer, and whether given claims are all that was asked for (OpenID4VP 1.0, 6.4).
"""

from itertools import chain, combinations
from typing import Any


def select(value: Any, path: list[Any]) -> list[Any]:
    """Section 7.1.1; an error of its steps is an empty selection."""
    selected = [value]
    for step in path:
        if step is None:
            if not all(isinstance(item, list) for item in selected):
                return []
            selected = list(chain.from_iterable(selected))
        elif isinstance(step, str):
            if not all(isinstance(item, dict) for item in selected):
                return []
            selected = [item[step] for item in selected if step in item]
        else:
            if not all(isinstance(item, list) for item in selected):
                return []
            selected = [item[step] for item in selected if step < len(item)]
    return selected


def matching(claims: Any, claim: dict[str, Any]) -> list[Any]:
    """What a claims query selects, without what has none of the values that it names."""
    values = claim.get("values")
    return [
        item
        for item in select(claims, claim["path"])
        if values is None or any(type(item) is type(one) and item == one for one in values)
    ]


def wanted_values(claims: Any, chosen: list[dict[str, Any]]) -> list[Any]:
    """What a whole combination of claims queries selects."""
    return list(chain.from_iterable(matching(claims, claim) for claim in chosen))


def chosen_claims(credential: dict[str, Any], query: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The claims queries to answer of a credential; None where it does not match."""
    if (
        credential["format"] != query["format"]
        or credential["vct"] not in query["meta"]["vct_values"]
    ):
        return None
    claims = query.get("claims", [])
    sets = query.get("claim_sets") or [[claim.get("id") for claim in claims]]
    for names in sets:
        wanted = (
            claims
            if "claim_sets" not in query
            else [claim for claim in claims if claim["id"] in names]
        )
        if all(matching(credential["claims"], claim) for claim in wanted):
            return wanted
    return None


def is_answer(query: dict[str, Any], shown: set[str]) -> bool:
    """Whether showing a credential for exactly these credential queries answers the request."""
    everything = [credential["id"] for credential in query["credentials"]]
    sets = query.get("credential_sets") or [{"options": [everything]}]
    required = [one for one in sets if one.get("required", True)]
    return all(any(set(option) <= shown for option in one["options"]) for one in required)


def can_answer(query: dict[str, Any], answered: set[str]) -> bool:
    """Whether some of the matching credential queries answer the request."""
    subsets = chain.from_iterable(
        combinations(sorted(answered), size) for size in range(len(answered) + 1)
    )
    return any(is_answer(query, set(subset)) for subset in subsets)
