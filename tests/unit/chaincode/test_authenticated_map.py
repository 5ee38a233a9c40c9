"""The authenticated map: one root for equal contents, and proofs of presence and of absence."""

import hashlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.authenticated_map import (
    EMPTY_ROOT,
    MapProof,
    prove,
    update_map,
    verify_absence,
    verify_presence,
)
from chaincode.errors import DecodeError, ProofInvalidError

KEYS = [f"key {number}".encode() for number in range(64)]
CONTENTS = st.dictionaries(st.sampled_from(KEYS), st.binary(max_size=4), max_size=64)
CHANGES = st.dictionaries(st.sampled_from(KEYS), st.none() | st.binary(max_size=4), max_size=40)


class Pages(dict[str, bytes]):
    """The pages of a map, and the root that the last change gave it."""

    root = EMPTY_ROOT

    def get_page(self, prefix: str) -> bytes | None:
        return self.get(prefix)

    def change(self, changes: Mapping[bytes, bytes | None]) -> bytes:
        update = update_map(self, changes)
        for prefix, page in update.pages.items():
            if page is None:
                del self[prefix]
            else:
                self[prefix] = page
        self.root = update.root
        return self.root


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def simple_root(contents: Mapping[bytes, bytes], depth: int = 0) -> bytes:
    """The same root by the definition, from all entries at once."""
    if not contents:
        return EMPTY_ROOT
    if len(contents) == 1:
        ((key, value),) = contents.items()
        return sha256(b"\x00", sha256(key), sha256(value))
    halves: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
    for key, value in contents.items():
        bit = int.from_bytes(sha256(key), "big") >> (255 - depth) & 1
        halves[bit][key] = value
    return sha256(b"\x01", *(simple_root(half, depth + 1) for half in halves))


@given(st.lists(CHANGES, max_size=6))
def test_the_root_is_that_of_the_contents_whatever_led_there(
    steps: list[dict[bytes, bytes | None]],
) -> None:
    pages = Pages()
    contents: dict[bytes, bytes] = {}
    for changes in steps:
        for key, value in changes.items():
            if value is None:
                contents.pop(key, None)
            else:
                contents[key] = value
        assert pages.change(changes) == simple_root(contents)
    fresh = Pages()
    fresh.change(contents)
    assert fresh == pages


@given(CONTENTS, st.sampled_from(KEYS))
def test_what_is_there_is_proved_and_what_is_not_is_proved_absent(
    contents: dict[bytes, bytes], key: bytes
) -> None:
    pages = Pages()
    root = pages.change(contents)
    proof = MapProof.decode(prove(pages, key).encode())
    if key in contents:
        verify_presence(root, key, contents[key], proof)
        with pytest.raises(ProofInvalidError):
            verify_presence(root, key, contents[key] + b"x", proof)
        with pytest.raises(ProofInvalidError):
            verify_absence(root, key, proof)
    else:
        verify_absence(root, key, proof)
        with pytest.raises(ProofInvalidError):
            verify_presence(root, key, b"", proof)


@given(CONTENTS, st.lists(st.sampled_from(KEYS), min_size=2, max_size=2, unique=True))
def test_a_proof_is_of_one_key(contents: dict[bytes, bytes], pair: list[bytes]) -> None:
    pages = Pages()
    root = pages.change({**contents, pair[0]: b"here", pair[1]: None})
    proof = prove(pages, pair[0])
    with pytest.raises(ProofInvalidError):
        verify_presence(root, pair[1], b"here", proof)
    with pytest.raises(ProofInvalidError):
        verify_absence(root, pair[0], prove(pages, pair[1]))


def test_a_proof_of_an_older_root_is_refused() -> None:
    pages = Pages()
    pages.change(dict.fromkeys(KEYS, b"active"))
    proof = prove(pages, KEYS[0])
    root = pages.change({KEYS[0]: b"revoked"})
    with pytest.raises(ProofInvalidError, match="root"):
        verify_presence(root, KEYS[0], b"active", proof)
    verify_presence(root, KEYS[0], b"revoked", prove(pages, KEYS[0]))


@given(CONTENTS, st.sampled_from(KEYS), st.data())
def test_no_sibling_can_be_changed(
    contents: dict[bytes, bytes], key: bytes, data: st.DataObject
) -> None:
    pages = Pages()
    root = pages.change({**contents, key: b"here", b"another": b"there", b"third": b"too"})
    proof = prove(pages, key)
    place = data.draw(st.integers(0, len(proof.siblings) - 1))
    siblings = list(proof.siblings)
    siblings[place] = bytes([siblings[place][0] ^ 1]) + siblings[place][1:]
    with pytest.raises(ProofInvalidError):
        verify_presence(root, key, b"here", MapProof(siblings=tuple(siblings)))


def test_another_entry_of_another_place_proves_no_absence() -> None:
    pages = Pages()
    root = pages.change(dict.fromkeys(KEYS, b"v"))
    absent, present = b"absent", KEYS[0]
    elsewhere = prove(pages, present)
    other = (sha256(present), sha256(b"v"))
    with pytest.raises(ProofInvalidError, match="another place"):
        verify_absence(root, absent, MapProof(siblings=elsewhere.siblings, other=other))
    with pytest.raises(ProofInvalidError, match="another place"):
        verify_absence(root, present, MapProof(siblings=elsewhere.siblings, other=other))


def test_the_empty_map_proves_every_absence() -> None:
    proof = prove(Pages(), b"any")
    assert proof == MapProof(siblings=())
    verify_absence(EMPTY_ROOT, b"any", proof)


def test_a_map_of_a_hundred_thousand_has_proofs_far_below_two_kilobytes() -> None:
    pages = Pages()
    root = pages.change({str(number).encode(): b"v" for number in range(100_000)})
    for key in (b"77", b"absent"):
        assert len(prove(pages, key).encode()) < 1024
    verify_presence(root, b"77", b"v", prove(pages, b"77"))


def test_a_proof_longer_than_a_path_is_refused() -> None:
    with pytest.raises(ProofInvalidError, match="longer"):
        verify_presence(EMPTY_ROOT, b"", b"", MapProof(siblings=(EMPTY_ROOT,) * 257))
    with pytest.raises(DecodeError, match="256"):
        MapProof.decode(b"\x00" * 258)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02", b"\x00\x01abc", b"\x00\x07", b"\x01" * 40])
def test_bytes_that_are_no_proof_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        MapProof.decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_proof_or_refused(data: bytes) -> None:
    try:
        proof = MapProof.decode(data)
    except DecodeError:
        return
    assert MapProof.decode(proof.encode()) == proof


def test_a_missing_page_is_told() -> None:
    """Else the map would go on without all that stood below it."""
    pages = Pages()
    pages.change(dict.fromkeys(KEYS, b"v"))
    prefix = max(pages, key=len)
    below = [key for key in KEYS if hashlib.sha256(key).hexdigest().startswith(prefix)]
    assert prefix
    assert below
    del pages[prefix]
    with pytest.raises(DecodeError, match=f"page {prefix} of the .* is missing"):
        pages.change({below[0]: b"w"})
    with pytest.raises(DecodeError, match="is missing"):
        prove(pages, below[0])


def test_a_damaged_page_is_told() -> None:
    pages = Pages()
    pages.change({b"a": b"1"})
    pages[""] = pages[""][:-1]
    with pytest.raises(DecodeError, match="cut"):
        prove(pages, b"a")
