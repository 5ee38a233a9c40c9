"""What a person reads on the terminal is what is there: no markup, no control sequences."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from client_sdk.checks import Check
from client_sdk.openid4vp.dcql import build_query
from client_sdk.openid4vp.dcql_selection import AnswerableSet
from client_sdk.openid4vp.grant_offer import GrantOffer
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.openid4vp.signed_request import VerifiedRequest
from client_sdk.verifier.gateway_client import RequestResult
from client_sdk.wallet.consent import PendingRequest, SharedAttribute, SharedCredential
from client_sdk.wallet.records import StoredCredential
from node.cli.consent_screen import consent
from node.cli.output import show, show_rows
from node.cli.toml import encode_toml
from node.cli.verify import result_view

HOSTILE = [
    "[green]certified[/]",
    "[/]",
    "[bold",
    "[link=https://evil.example]Ward Office[/link]",
    "ends with \\",
    "\\[red]",
    "\x1b[2J\x1b]0;title\x07",
    "\u202eecffO draW",
    "\u009b31mred",
]


def printed(thing: Any) -> str:
    output = io.StringIO()
    Console(file=output, width=200, force_terminal=False).print(thing)
    return output.getvalue()


def visible(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def pending(name: str, purpose: str, value: Any, *, is_anchored: bool = False) -> PendingRequest:
    offer = GrantOffer(
        query_id="q",
        verifier="x509_hash:v",
        verifier_name=name,
        attributes=(("address",),),
        purpose=purpose,
        expires_at_ms=1_800_000_000_000,
        uses=1,
        gateway="g@gateway",
        ledger="ab" * 32,
    )
    request = PresentationRequest(
        client_id="x509_hash:v",
        response_uri="https://v.example",
        nonce="n" * 22,
        state=None,
        query=build_query(query_id="q", vct="urn:x", attributes=("address",)),
        transaction_data=(),
        issued_at=0,
        expires_at=1,
    )
    return PendingRequest(
        request=VerifiedRequest(
            request=request, verifier_name=name, is_anchored=is_anchored, offers=(offer,)
        ),
        candidates={
            "q": (
                SharedCredential(
                    query_id="q",
                    credential=StoredCredential(
                        record_id="c",
                        credential_type="urn:x",
                        issuer="i@issuer",
                        expires_at_ms=1,
                        text="x",
                    ),
                    asked=(("address",),),
                    paths=(("address",),),
                    shares=(SharedAttribute(path=("address",), value=value),),
                ),
            )
        },
        sets=(AnswerableSet(options=(("q",),), required=True),),
        options=(0,),
        credentials={"q": ("c",)},
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_consent_screen_shows_what_is_there(text: str) -> None:
    shown = printed(consent(pending(text, text, text)))
    assert shown.count(visible(text)) == 3
    assert "NOT VERIFIED, the name is its own claim" in shown
    assert "\x1b" not in shown


def test_a_consent_screen_says_whether_the_verifier_is_certified() -> None:
    certified = printed(consent(pending("Ward Office", "why", "here", is_anchored=True)))
    assert "Certified:" in certified
    assert "NOT VERIFIED" not in certified
    assert "Until:   2027-01-15 08:00 UTC, 1 time(s)" in certified


def test_a_consent_screen_says_what_else_can_be_chosen() -> None:
    both = AnswerableSet(options=(("q",), ("q", "q")), required=True)
    optional = AnswerableSet(options=(("q",),), required=False)
    asked = replace(pending("v", "why", "here"), sets=(both, optional), options=(0, None))
    shown = printed(consent(asked))
    assert "Instead, --choose 0=1: address, address" in shown
    assert "Optional, --choose 1=0: address" in shown
    assert "Or nothing of it: --choose 1=none" in printed(consent(asked.choose(1, 0)))


def test_a_consent_screen_without_a_grant() -> None:
    asked = pending("Ward Office", "why", "here")
    without = replace(asked, request=replace(asked.request, offers=()))
    shown = printed(consent(without))
    assert "Purpose" not in shown
    assert "address  here" in shown


def test_a_long_value_is_shortened() -> None:
    shown = printed(consent(pending("Ward Office", "why", "x" * 5000)))
    assert f"{'x' * 40}... (5000 characters)" in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_a_result_shows_what_is_there(text: str) -> None:
    result = RequestResult(
        state=text,
        checks=(
            Check(name=text, passed=True, detail=text),
            Check(name="b", passed=False, detail=""),
            Check(name="c", passed=None, detail=""),
        ),
        attributes={text: text, "age_over_18": True},
    )
    shown = printed(result_view(result))
    assert shown.count(visible(text)) == 5
    for mark in "✓✗·":
        assert mark in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_tables_show_what_is_there(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show({"value": text, "inner": {"a": text}, "list": [text, 5]}, as_json=False)
    show_rows([{"value": text, "nothing": None}], empty="none", as_json=False)
    shown = capsys.readouterr().out
    assert shown.count(visible(text)) == 4
    assert "\x1b" not in shown


def test_japanese_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show({"address": "青葉市\u3000緑町𠮷"}, as_json=False)
    assert "青葉市\u3000緑町𠮷" in capsys.readouterr().out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    values: dict[str, Any] = {"a": "手形", "b": [True, 1, None], "c": {"d": "[/]"}}
    show(values, as_json=True)
    assert json.loads(capsys.readouterr().out) == values
    show_rows([], empty="none", as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    show_rows([], empty="nothing yet", as_json=False)
    assert capsys.readouterr().out == "nothing yet\n"


@pytest.mark.parametrize("text", [*HOSTILE, "𠮷野", '"', "\\", "\x7f", "\t\n\r", "é", "\u2028"])
def test_toml_reads_back(text: str) -> None:
    import tomllib

    assert tomllib.loads(encode_toml({"name": text, "other": ""})) == {"name": text, "other": ""}
