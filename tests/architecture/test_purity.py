"""The rules are pure: what `chaincode` may import and name, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "chaincode"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if not path.name.endswith("_pb2.py"))
ALLOWED = {
    "abc",
    "base64",
    "binascii",
    "chaincode",
    "collections.abc",
    "dataclasses",
    "enum",
    "functools",
    "google.protobuf.message",
    "google.protobuf.timestamp_pb2",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "re",
    "struct",
    "types",
    "typing",
}
ALLOWED_IN_ONE = {
    "encoding.py": {"pybase64", "rfc8785"},
    "signatures.py": {"nacl", "tegata_ed25519"},
}
FORBIDDEN_NAMES = {
    *("breakpoint", "compile", "eval", "exec", "globals", "hash", "id", "input", "open", "print"),
    *("__import__", "float", "round", "vars", "locals"),
}
ORDER_FREE = {"all", "any", "bool", "frozenset", "len", "max", "min", "set", "sorted", "sum"}
SET_METHODS = {"difference", "intersection", "symmetric_difference", "union"}


def problems(name: str, source: str) -> Iterator[str]:
    tree = ast.parse(source)
    sets = set_names(tree)
    calls = {
        id(argument): node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        for argument in node.args
    }
    for node in ast.walk(tree):
        yield from (f"imports {module}" for module in forbidden_imports(name, node))
        match node:
            case ast.Constant(value=float() | complex()):
                yield "a literal that is no whole number"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield "true division"
            case ast.Name(id=used, ctx=ast.Load()) if used in FORBIDDEN_NAMES:
                yield f"names {used}"
            case ast.For(iter=iterated) if is_set(iterated, sets):
                yield "iterates over a set"
            case ast.Starred(value=spread) if is_set(spread, sets):
                yield "spreads a set"
            case ast.Call(func=ast.Name(id=called), args=[argument, *_]) if (
                called not in ORDER_FREE
                and called in {"list", "tuple", "iter", "enumerate", "next"}
            ) and is_set(argument, sets):
                yield f"{called}() of a set"
            case ast.Call(func=ast.Attribute(attr="join"), args=[argument]) if is_set(
                argument, sets
            ):
                yield "joins a set"
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp() if (
                any(is_set(part.iter, sets) for part in node.generators)
                and calls.get(id(node)) not in ORDER_FREE
            ):
                yield "a comprehension over a set"


def forbidden_imports(name: str, node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            modules = [module]
        case ast.ImportFrom():
            modules = ["a relative module"]
        case _:
            modules = []
    allowed = ALLOWED | ALLOWED_IN_ONE.get(name, set())
    for module in modules:
        parts = module.split(".")
        if not any(".".join(parts[:length]) in allowed for length in range(1, len(parts) + 1)):
            yield module


def annotations(tree: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield what is annotated: `name`, `.field` of a class, and `function()`."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=annotation):
                yield name, annotation
            case ast.AnnAssign(target=target, annotation=annotation, value=None):
                yield f".{ast.unparse(target)}", annotation
            case ast.AnnAssign(target=target, annotation=annotation):
                yield ast.unparse(target), annotation
            case ast.FunctionDef(name=name, returns=annotation):
                yield f"{name}()", annotation


def set_names(tree: ast.AST) -> set[str]:
    """Return which of these hold sets, and the names that a set is assigned to."""
    found = {
        name for name, annotation in annotations(tree) if annotation and is_set_type(annotation)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and is_set(node.value, found):
            found.update(ast.unparse(target) for target in node.targets)
    return found


def is_set_type(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).startswith(("set[", "frozenset[", "AbstractSet[", "Set["))


def is_set(node: ast.expr, sets: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            found = True
        case ast.Name(id=name):
            found = name in sets
        case ast.Attribute(attr=field):
            found = f".{field}" in sets
        case ast.Call(func=ast.Subscript(value=function)) | ast.Call(func=function):
            name = ast.unparse(function).rpartition(".")[2]
            found = name in {"set", "frozenset"} | SET_METHODS or f"{name}()" in sets
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            found = is_set(left, sets)
        case _:
            found = False
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_is_pure(path: Path) -> None:
    assert list(problems(path.name, path.read_text(encoding="utf-8"))) == []


def test_all_modules_are_read() -> None:
    names = {path.relative_to(SOURCE).as_posix() for path in MODULES}
    assert {"transition.py", "rules/identity/apply.py", "queries/answer.py", "__init__.py"} <= names


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from random import randint",
        "from nacl import bindings",
        "import rfc8785",
        "from . import errors",
        "from collections import Counter",
        "import google.protobuf.json_format",
        "x = 1.0",
        "x = 1 / 2",
        "x = float('1')",
        "x = hash('a')",
        "open('x')",
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "x = [y for y in frozenset(z)]",
        "x = list({1, 2})",
        "x = [*{1, 2}]",
        "x = ','.join({'a'})",
        "def f(a: frozenset[int]) -> None:\n    for x in a: pass",
        "def f(a: frozenset[int]) -> None:\n    for x in a | b: pass",
        "def f() -> set[int]: ...\nx = tuple(f())",
        "class A:\n    b: frozenset[str]\ndef f(a: A) -> None:\n    x = [c for c in a.b]",
        "x = {1}\nfor y in x: pass",
        "for y in a.union(b): pass",
    ],
)
def test_the_check_finds(source: str) -> None:
    assert list(problems("any.py", source))


@pytest.mark.parametrize(
    "source",
    [
        "from chaincode.errors import ChaincodeError",
        "for x in sorted({1, 2}): pass",
        "x = sorted(y for y in {1, 2})",
        "x = any(y for y in {1, 2})",
        "x = {y for y in {1, 2}}",
        "x = 1 // 2",
        "def f(a: list[int]) -> None:\n    for x in a: pass",
    ],
)
def test_the_check_lets_pass(source: str) -> None:
    assert list(problems("any.py", source)) == []
