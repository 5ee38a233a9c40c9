"""Merkle trees, against published roots, and against the definition in RFC 6962."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.errors import ProofInvalidError
from chaincode.merkle import MerkleTree, check_inclusion, hash_children, hash_leaf

# The inputs and roots of the reference tests of Certificate Transparency
# (github.com/google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc).
INPUTS = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def defined_root(leaves: list[bytes]) -> bytes:
    """Return MTH as RFC 6962 section 2.1 writes it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = defined_root(leaves[:split]), defined_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots(size: int) -> None:
    tree = MerkleTree([hash_leaf(data) for data in INPUTS[:size]])
    assert tree.root.hex() == ROOTS[size - 1]


@given(LEAVES)
def test_each_leaf_is_proven(leaves: list[bytes]) -> None:
    nodes = [hash_leaf(leaf) for leaf in leaves]
    tree = MerkleTree(nodes)
    assert tree.root == defined_root(leaves)
    for index, node in enumerate(nodes):
        path = tree.path(index)
        assert len(path) <= 6
        check_inclusion(node, index=index, count=len(nodes), path=path, root=tree.root)


@given(LEAVES, st.sampled_from([2, 4, 8]))
def test_a_tree_is_built_in_parts(leaves: list[bytes], size: int) -> None:
    nodes = [hash_leaf(leaf) for leaf in leaves]
    parts = [MerkleTree(nodes[start : start + size]) for start in range(0, len(nodes), size)]
    above, whole = MerkleTree([part.root for part in parts]), MerkleTree(nodes)
    assert above.root == whole.root
    for index in range(len(nodes)):
        part, place = divmod(index, size)
        assert parts[part].path(place) + above.path(part) == whole.path(index)


@given(LEAVES, st.data())
def test_no_other_leaf_place_count_path_or_root_is_proven(
    leaves: list[bytes], data: st.DataObject
) -> None:
    nodes = [hash_leaf(leaf) for leaf in leaves]
    tree, count = MerkleTree(nodes), len(nodes)
    index = data.draw(st.integers(0, count - 1))
    node, path, root = nodes[index], tree.path(index), tree.root
    spoilt: list[tuple[bytes, int, int, tuple[bytes, ...], bytes]] = [
        (hash_leaf(b"another"), index, count, path, root),
        (node, index, count, path, hash_leaf(b"another")),
        (node, index, count, (*path, bytes(32)), root),
        (node, -1, count, path, root),
        (node, count, count, path, root),
    ]
    if path:
        place = data.draw(st.integers(0, len(path) - 1))
        changed = (*path[:place], bytes(32), *path[place + 1 :])
        spoilt += [
            (node, index, count, path[:-1], root),
            (node, index, count, changed, root),
        ]
        other = data.draw(st.integers(0, count - 1))
        if nodes[other] != node:
            spoilt.append((node, other, count, path, root))
    for leaf, place, size, siblings, top in spoilt:
        with pytest.raises(ProofInvalidError):
            check_inclusion(leaf, index=place, count=size, path=siblings, root=top)


def test_no_inner_node_passes_for_a_leaf() -> None:
    """The second preimage that trees without separated hashes allow."""
    nodes = [hash_leaf(data) for data in INPUTS[:4]]
    tree = MerkleTree(nodes)
    forged = nodes[0] + nodes[1]
    assert hash_leaf(forged) != hash_children(nodes[0], nodes[1])
    with pytest.raises(ProofInvalidError):
        check_inclusion(hash_leaf(forged), index=0, count=2, path=tree.path(0)[1:], root=tree.root)
