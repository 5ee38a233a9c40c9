"""The log of checkpoints: RFC 6962's tree against its definition and published roots."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chaincode.errors import DecodeError, ProofInvalidError
from chaincode.merkle import check_inclusion, hash_leaf
from chaincode.merkle_log import (
    LogNode,
    extend_log,
    log_root,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
)

# Certificate Transparency's reference vectors: google/certificate-transparency,
# cpp/merkletree/merkle_tree_test.cc.
CT_ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(min_value=1, max_value=70)


class Log(dict[LogNode, bytes]):
    """A log in memory."""

    def get_log_node(self, node: LogNode) -> bytes | None:
        return self.get(node)


def entry(number: int) -> bytes:
    return b"entry %d" % number


def log_of(entries: Sequence[bytes]) -> Log:
    log = Log()
    for size, each in enumerate(entries):
        log.update(extend_log(log, size, each))
    return log


LOG = log_of([entry(number) for number in range(70)])


def simple_root(entries: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word by word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    halves = simple_root(entries[:split]) + simple_root(entries[split:])
    return hashlib.sha256(b"\x01" + halves).digest()


def test_the_roots_are_those_of_certificate_transparency() -> None:
    log = log_of(CT_ENTRIES)
    found = [log_root(log, size).hex() for size in range(1, len(CT_ENTRIES) + 1)]
    assert found == CT_ROOTS


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)
def test_paths_are_those_of_certificate_transparency(
    index: int, size: int, path: list[str]
) -> None:
    log = log_of(CT_ENTRIES)
    found = prove_inclusion(log, index, size)
    assert [each.hex() for each in found] == path
    root = bytes.fromhex(CT_ROOTS[size - 1])
    check_inclusion(hash_leaf(CT_ENTRIES[index]), index=index, count=size, path=found, root=root)


@pytest.mark.parametrize(
    ("old_size", "size", "path"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_consistency_proofs_are_those_of_certificate_transparency(
    old_size: int, size: int, path: list[str]
) -> None:
    log = log_of(CT_ENTRIES)
    found = prove_consistency(log, old_size, size)
    assert [each.hex() for each in found] == path
    old_root, root = (bytes.fromhex(CT_ROOTS[each - 1]) for each in (old_size, size))
    verify_consistency(old_root, root, old_size=old_size, size=size, path=found)


@given(SIZES)
def test_the_root_is_that_of_the_definition(size: int) -> None:
    assert log_root(LOG, size) == simple_root([entry(number) for number in range(size)])


def test_an_empty_log_has_a_root() -> None:
    assert log_root(Log(), 0) == simple_root([])


@given(SIZES, st.data())
def test_every_entry_is_proven(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    path = prove_inclusion(LOG, index, size)
    leaf, root = hash_leaf(entry(index)), log_root(LOG, size)
    check_inclusion(leaf, index=index, count=size, path=path, root=root)


@given(SIZES, SIZES, st.data())
def test_growth_is_proven_and_nothing_else(one: int, two: int, data: st.DataObject) -> None:
    old_size, size = sorted((one, two))
    old_root, root = log_root(LOG, old_size), log_root(LOG, size)
    path = prove_consistency(LOG, old_size, size)
    verify_consistency(old_root, root, old_size=old_size, size=size, path=path)
    attempts = [
        (bytes(32), root, path),
        (old_root, bytes(32), path),
        (old_root, root, [*path, b""]),
    ]
    if path:
        place = data.draw(st.integers(min_value=0, max_value=len(path) - 1))
        bent = [*path[:place], bytes(32), *path[place + 1 :]]
        attempts += [(old_root, root, bent), (old_root, root, path[:-1]), (old_root, root, [])]
    for old, new, hashes in attempts:
        with pytest.raises(ProofInvalidError):
            verify_consistency(old, new, old_size=old_size, size=size, path=hashes)


@given(SIZES, SIZES, st.integers(min_value=0, max_value=69))
def test_a_log_that_was_changed_is_found_out(one: int, two: int, changed: int) -> None:
    old_size, size = sorted((one, two))
    assume(changed < old_size)
    entries = [entry(number) for number in range(size)]
    entries[changed] = b"another"
    forged = log_of(entries)
    path = prove_consistency(forged, old_size, size)
    with pytest.raises(ProofInvalidError):
        verify_consistency(
            log_root(LOG, old_size), log_root(forged, size), old_size=old_size, size=size, path=path
        )


def test_a_log_does_not_shrink() -> None:
    root = log_root(LOG, 5)
    for old_size, size in ((6, 5), (0, 5)):
        with pytest.raises(ProofInvalidError, match="does not shrink"):
            verify_consistency(root, root, old_size=old_size, size=size, path=[])


def test_a_missing_hash_is_named() -> None:
    with pytest.raises(DecodeError, match="lacks its hash 0 on level 1"):
        log_root(Log(), 3)
