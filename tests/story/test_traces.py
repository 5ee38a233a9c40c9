"""Traces of the story: one piece of work through all services, and nothing of what was said."""

import re
from typing import get_args

import pytest
from support.otlp_receiver import OtlpReceiver
from support.story_town import ToldStory

from client_sdk.tracing import Attribute

# One worker tells the story, once.
pytestmark = pytest.mark.xdist_group("told")


@pytest.fixture(scope="module")
def collected(told: ToldStory, traces: OtlpReceiver) -> OtlpReceiver:
    del told
    return traces


@pytest.mark.parametrize(
    ("work", "through"),
    [
        ("wallet.register", "issuer"),
        ("wallet.receive", "issuer"),
        ("wallet.present", "gateway"),
        ("recovery.open", "escrow"),
    ],
)
def test_work_is_one_trace_from_the_wallet_through_a_service_to_the_node(
    work: str, through: str, collected: OtlpReceiver
) -> None:
    path = collected.wait_for_path(work, "wallet", through, "node")
    assert len({span.trace_id for span in path}) == 1
    assert path[-1].attributes["rpc.method"] == path[-1].name
    assert any(str(span.attributes.get("http.route")).startswith("/") for span in path)


def test_the_wallet_asks_the_node_too(collected: OtlpReceiver) -> None:
    path = collected.wait_for_path("wallet.present", "wallet", "node")
    assert path[-1].name == "tegata.ledger.SubmitService/Submit"
    assert path[-2].attributes["rpc.response.status_code"] in {"OK", "CANCELLED"}
    assert not path[-2].failed


def test_a_span_says_where_a_call_went_and_how_it_ended_and_nothing_else(
    collected: OtlpReceiver,
) -> None:
    assert {name for span in collected.spans for name in span.attributes} <= {*get_args(Attribute)}
    said = {
        (name, str(value)) for span in collected.spans for name, value in span.attributes.items()
    }
    assert ("http.route", "/oid4vp/responses/<id>") in said
    assert {value for name, value in said if name == "server.address"} == {"127.0.0.1"}
    assert {value for name, value in said if name == "error.type"}
    for name, value in said:
        if name not in {"http.route", "rpc.method", "server.address"}:
            assert re.fullmatch("[A-Za-z_]+|[0-9]{1,5}", value)
