"""DCQL against the JavaScript library `dcql`: both find the same answers to the same queries.

`npm ci --prefix tests/interop/js` installs it; the Makefile does so before the tests.
"""

import json
import random
from typing import Any

import pytest
from support.node_scripts import run_script

from client_sdk.errors import RequestError
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.openid4vp.dcql_selection import CredentialView, find_sets, select_claims

CASES = 600
TYPES, NAMES, SCALARS = ["t1", "t2"], ["a", "b", "c"], ["x", "y", 1, True]


def run_node(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = run_script("dcql.mjs", {"cases": cases}, timeout_s=120)
    return results


class Cases:
    """Queries and credentials, the same ones each time."""

    def __init__(self) -> None:
        self._random = random.Random(20260101)

    def value(self, depth: int = 0) -> Any:
        kind = self._random.random()
        if depth == 2 or kind < 0.5:
            return self._random.choice(SCALARS)
        if kind < 0.75:
            return [self.value(depth + 1) for _ in range(self._random.randint(1, 3))]
        return self.claims(depth + 1)

    def claims(self, depth: int = 0) -> dict[str, Any]:
        names = self._random.sample(NAMES, self._random.randint(1, 3))
        return {name: self.value(depth) for name in names}

    def credential(self) -> dict[str, Any]:
        return {
            "credential_format": "dc+sd-jwt",
            "vct": self._random.choice(TYPES),
            "claims": self.claims(),
            "cryptographic_holder_binding": self._random.random() < 0.9,
        }

    def path(self) -> list[Any]:
        steps: list[Any] = [*NAMES, None, 0, 1]
        rest = [self._random.choice(steps) for _ in range(self._random.randint(0, 2))]
        return [self._random.choice(NAMES), *rest]

    def credential_query(self, query_id: str) -> dict[str, Any]:
        query: dict[str, Any] = {
            "id": query_id,
            "format": "dc+sd-jwt",
            "meta": {"vct_values": self._random.sample(TYPES, self._random.randint(1, 2))},
        }
        if self._random.random() < 0.2:
            query["require_cryptographic_holder_binding"] = False
        paths = {json.dumps(path): path for path in (self.path() for _ in range(3))}
        claims: list[dict[str, Any]] = [
            {"id": f"c{place}", "path": path} for place, path in enumerate(paths.values())
        ][: self._random.randint(0, 3)]
        for claim in claims:
            if self._random.random() < 0.3:
                claim["values"] = self._random.sample(SCALARS, self._random.randint(1, 2))
        if claims:
            query["claims"] = claims
            if self._random.random() < 0.5:
                ids = [claim["id"] for claim in claims]
                query["claim_sets"] = [
                    self._random.sample(ids, self._random.randint(1, len(ids)))
                    for _ in range(self._random.randint(1, 3))
                ]
        return query

    def case(self) -> dict[str, Any]:
        ids = [f"q{place}" for place in range(self._random.randint(1, 3))]
        query: dict[str, Any] = {"credentials": [self.credential_query(name) for name in ids]}
        if self._random.random() < 0.5:
            query["credential_sets"] = [
                {
                    "options": [
                        self._random.sample(ids, self._random.randint(1, len(ids)))
                        for _ in range(self._random.randint(1, 2))
                    ],
                    "required": self._random.random() < 0.7,
                }
                for _ in range(self._random.randint(1, 2))
            ]
        wallet = [self.credential() for _ in range(self._random.randint(1, 3))]
        return {"query": query, "credentials": wallet}


def is_mixed(claims: Any, path: list[Any]) -> bool:
    """Whether a path meets elements that its next step fits and others that it does not.

    The specification aborts there (section 7.1.1), and so do we; `dcql` goes on with what fits.
    """
    selected = [claims]
    for step in path:
        kind = dict if isinstance(step, str) else list
        fitting = [item for item in selected if isinstance(item, kind)]
        if len(fitting) != len(selected):
            return bool(fitting)
        if step is None:
            selected = [element for item in fitting for element in item]
        else:
            selected = [
                item[step]
                for item in fitting
                if (step in item if isinstance(step, str) else step < len(item))
            ]
    return False


def view(credential: dict[str, Any]) -> CredentialView:
    return CredentialView(
        format="dc+sd-jwt",
        types=frozenset({credential["vct"]}),
        claims=credential["claims"],
        is_bound=credential["cryptographic_holder_binding"],
    )


def evaluate(case: dict[str, Any]) -> dict[str, Any]:
    """Return what we find, in the form of the script."""
    query = parse_query(case["query"])
    matches: dict[str, list[list[Any]]] = {asked.id: [] for asked in query.credentials}
    unanswered: dict[str, str] = {}
    for asked in query.credentials:
        places = {claim.path: place for place, claim in enumerate(asked.claims)}
        for index, credential in enumerate(case["credentials"]):
            try:
                selected = select_claims(asked, view(credential))
            except RequestError as error:
                reason = str(error)
            else:
                matches[asked.id].append([index, sorted(places[path] for path in selected.asked)])
        if not matches[asked.id]:
            unanswered[asked.id] = reason
    try:
        find_sets(query, unanswered)
    except RequestError:
        return {"satisfied": False, "matches": matches}
    return {"satisfied": True, "matches": matches}


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    maker = Cases()
    made = (maker.case() for _ in range(CASES))
    return [
        case
        for case in made
        if not any(
            is_mixed(credential["claims"], claim["path"])
            for asked in case["query"]["credentials"]
            for claim in asked.get("claims", [])
            for credential in case["credentials"]
        )
    ]


def test_both_find_the_same_answers(cases: list[dict[str, Any]]) -> None:
    theirs = run_node(cases)
    satisfied = 0
    for case, found in zip(cases, theirs, strict=True):
        for match in found["matches"].values():
            for entry in match:
                entry[1] = sorted(entry[1])
        assert evaluate(case) == found, json.dumps(case)
        satisfied += found["satisfied"]
    # The cases tell something: many can be answered, and many cannot.
    assert CASES // 10 < satisfied < len(cases) * 9 // 10
