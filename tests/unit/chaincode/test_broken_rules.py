"""The tree of what is wrong with a message: its text, and the bounds of it."""

from chaincode.broken_rules import MAX_FINDINGS, MAX_TEXT, BrokenRule, gather


def test_the_text_is_that_of_irohad() -> None:
    leaf = BrokenRule("Leaf", ("one", "two"))
    assert str(leaf) == "Leaf: [Errors=[one, two]]"
    assert str(BrokenRule("Root", parts=(leaf, leaf))) == (
        "Root: [Child errors=[Leaf: [Errors=[one, two]], Leaf: [Errors=[one, two]]]]"
    )
    assert str(BrokenRule("Root", ("own",), (leaf,))) == (
        "Root: [Errors=[own], Child errors=[Leaf: [Errors=[one, two]]]]"
    )


def test_reasons_and_parts_are_gathered() -> None:
    leaf = BrokenRule("Leaf", ("one",))
    assert gather("Root", []) is None
    assert gather("Root", ["a", leaf, "b"]) == BrokenRule("Root", ("a", "b"), (leaf,))


def test_the_place_of_the_first_fault_quotes_nothing() -> None:
    tree = BrokenRule("A", ("x",), (BrokenRule("B", parts=(BrokenRule("C", ("value",)),)),))
    assert tree.place == "A/B/C"
    assert BrokenRule("x" * 1000).place == "x" * 256


def test_a_text_is_bounded() -> None:
    found = gather("Root", (BrokenRule("Leaf", (str(number),)) for number in range(10**9)))
    assert found is not None
    assert len(found.parts) == MAX_FINDINGS
    text = str(BrokenRule("Root", ("x" * MAX_TEXT,)))
    assert text == "Root: [Errors=[" + "x" * (MAX_TEXT - 15) + "..."
