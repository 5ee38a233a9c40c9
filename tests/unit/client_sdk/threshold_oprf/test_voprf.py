"""RFC 9497's figures for ristretto255-SHA512, and every way a proof can be wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.errors import EvaluationProofError, GroupFormatError
from client_sdk.threshold_oprf.ristretto255 import (
    Element,
    Scalar,
    decode_element,
    decode_scalar,
    multiply,
    multiply_base,
    random_scalar,
)
from client_sdk.threshold_oprf.voprf import (
    MAX_INPUT_BYTES,
    Mode,
    blind,
    evaluate_unblinded,
    finalize,
    generate_proof,
    verify_proof,
)

RFC: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "oprf" / "rfc9497.json").read_text()
)
CASES = [
    pytest.param(mode, vector, id=f"{mode.name}-{number}")
    for mode in Mode
    for number, vector in enumerate(
        RFC[mode.name.lower()]["vectors"] + RFC[mode.name.lower()].get("batch", {}).get("items", [])
    )
]
VOPRF = RFC["voprf"]
KEY = Scalar(bytes.fromhex(VOPRF["secret_key"]))
PUBLIC_KEY = Element(bytes.fromhex(VOPRF["public_key"]))


def _elements(items: list[dict[str, str]], name: str) -> list[Element]:
    return [decode_element(bytes.fromhex(item[name])) for item in items]


@pytest.mark.parametrize(("mode", "vector"), CASES)
def test_published_evaluations(mode: Mode, vector: dict[str, str]) -> None:
    figures = {name: bytes.fromhex(value) for name, value in vector.items()}
    key = decode_scalar(bytes.fromhex(RFC[mode.name.lower()]["secret_key"]))

    blinded = blind(figures["input"], mode=mode, scalar=decode_scalar(figures["blind"]))
    assert blinded.element == figures["blinded_element"]
    evaluated = multiply(key, blinded.element)
    assert evaluated == figures["evaluation_element"]
    assert finalize(blinded, evaluated) == figures["output"]
    assert evaluate_unblinded(key, figures["input"], mode=mode) == figures["output"]


@pytest.mark.parametrize(
    ("items", "figures"),
    [
        *(([vector], vector) for vector in VOPRF["vectors"]),
        (VOPRF["batch"]["items"], VOPRF["batch"]),
    ],
)
def test_published_proofs(items: list[dict[str, str]], figures: dict[str, Any]) -> None:
    blinded, evaluated = _elements(items, "blinded_element"), _elements(items, "evaluation_element")
    nonce = decode_scalar(bytes.fromhex(figures["proof_nonce"]))

    assert multiply_base(KEY) == PUBLIC_KEY
    proof = generate_proof(KEY, PUBLIC_KEY, blinded, evaluated, nonce=nonce)
    assert proof.hex() == figures["proof"]
    verify_proof(PUBLIC_KEY, blinded, evaluated, proof)


@given(st.binary(max_size=40))
def test_the_blind_changes_nothing(private_input: bytes) -> None:
    first, second = blind(private_input), blind(private_input)
    assert first.element != second.element
    outputs = {finalize(item, multiply(KEY, item.element)) for item in (first, second)}
    assert outputs == {evaluate_unblinded(KEY, private_input)}


def test_the_two_modes_are_two_functions() -> None:
    assert evaluate_unblinded(KEY, b"x") != evaluate_unblinded(KEY, b"x", mode=Mode.OPRF)


@given(st.integers(min_value=0, max_value=511))
def test_any_bit_of_a_proof_counts(bit: int) -> None:
    blinded = blind(b"x").element
    evaluated = multiply(KEY, blinded)
    proof = bytearray(generate_proof(KEY, PUBLIC_KEY, [blinded], [evaluated]))
    proof[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EvaluationProofError):
        verify_proof(PUBLIC_KEY, [blinded], [evaluated], bytes(proof))


def test_a_proof_is_for_its_key_and_elements_only() -> None:
    blinded, other = blind(b"x").element, blind(b"x").element
    evaluated = multiply(KEY, blinded)
    proof = generate_proof(KEY, PUBLIC_KEY, [blinded], [evaluated])
    verify_proof(PUBLIC_KEY, [blinded], [evaluated], proof)

    stranger = multiply_base(random_scalar())
    for public_key, left, right, claimed in (
        (stranger, blinded, evaluated, proof),
        (PUBLIC_KEY, other, evaluated, proof),
        (PUBLIC_KEY, blinded, other, proof),
        (PUBLIC_KEY, blinded, evaluated, proof[:-1]),
        (PUBLIC_KEY, blinded, evaluated, b""),
        # Made with another key than the committed one.
        (stranger, blinded, evaluated, generate_proof(KEY, stranger, [blinded], [evaluated])),
    ):
        with pytest.raises(EvaluationProofError):
            verify_proof(public_key, [left], [right], claimed)


def test_an_input_too_long() -> None:
    assert blind(bytes(MAX_INPUT_BYTES)).element
    with pytest.raises(GroupFormatError, match="65535"):
        blind(bytes(MAX_INPUT_BYTES + 1))


def test_secrets_stay_out_of_reprs() -> None:
    blinded = blind(b"a password")
    assert "password" not in repr(blinded)
    assert repr(blinded.blind)[2:-1] not in repr(blinded)
