"""A wallet's response: built for a request, read by its verifier; and what is no response."""

import contextlib
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.presentation_world import World

from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.errors import CredentialFormatError
from client_sdk.openid4vp.response import (
    ErrorResponse,
    PresentationResponse,
    build_error_response,
    build_response,
    open_response,
    read_response,
)
from client_sdk.openid4vp.response_encryption import ResponseEncryption, encrypt_response

REQUEST = replace(World().request("address"), state="s")
KEY = generate_encryption_key()
ENCRYPTED = replace(REQUEST, encryption=ResponseEncryption.for_key(KEY))


def read(form: Iterable[tuple[str, str]]) -> PresentationResponse | ErrorResponse:
    return read_response(open_response(form, response_key=None))


def test_a_response_carries_lists_of_presentations() -> None:
    form = build_response({"resident": ["eyJ~a~", "eyJ~b~"]}, request=REQUEST)
    assert form == {"vp_token": '{"resident":["eyJ~a~","eyJ~b~"]}', "state": "s"}
    response = read(form.items())
    assert response == PresentationResponse(
        presentations={"resident": ("eyJ~a~", "eyJ~b~")}, state="s"
    )
    assert "eyJ" not in repr(response)
    assert "state" not in build_response({"resident": ["a"]}, request=replace(REQUEST, state=None))


@pytest.mark.parametrize("state", ["s", None])
def test_an_encrypted_response_shows_nothing_on_its_way(state: str | None) -> None:
    form = build_response({"resident": ["eyJ~a~"]}, request=replace(ENCRYPTED, state=state))
    assert list(form) == ["response"]
    found = read_response(open_response(form.items(), response_key=KEY))
    assert found == PresentationResponse(presentations={"resident": ("eyJ~a~",)}, state=state)


def test_a_plain_response_to_a_request_for_an_encrypted_one_is_refused() -> None:
    form = build_response({"resident": ["a"]}, request=REQUEST)
    with pytest.raises(CredentialFormatError, match="encrypted"):
        open_response(form.items(), response_key=KEY)
    with pytest.raises(CredentialFormatError):
        open_response([("state", "s")], response_key=KEY)


def test_an_encrypted_vp_token_is_an_object_not_a_text() -> None:
    token = encrypt_response(
        {"vp_token": '{"a":["b"]}', "state": "s"}, ResponseEncryption.for_key(KEY)
    )
    with pytest.raises(CredentialFormatError, match="an object"):
        open_response([("response", token)], response_key=KEY)


def test_a_holder_can_decline_in_both_modes() -> None:
    form = build_error_response("access_denied", state="s")
    for key in (None, KEY):
        parameters = open_response([*form.items(), ("error_description", "No.")], response_key=key)
        assert read_response(parameters) == ErrorResponse(error="access_denied", state="s")
    assert build_error_response("access_denied", state=None) == {"error": "access_denied"}


def test_unknown_fields_of_a_response_are_ignored() -> None:
    response = read([("vp_token", '{"a":["b"]}'), ("future", "1")])
    assert response == PresentationResponse(presentations={"a": ("b",)}, state=None)


@pytest.mark.parametrize(
    "form",
    [
        [],
        [("state", "s")],
        [("vp_token", "")],
        [("vp_token", "eyJ~a~")],
        [("vp_token", "[]")],
        [("vp_token", '{"a":"b"}')],
        [("vp_token", '{"a":[]}')],
        [("vp_token", '{"a":[1]}')],
        [("vp_token", '{"a":["b"],"a":["c"]}')],
        [("vp_token", '{"a":["b"]}'), ("vp_token", '{"a":["b"]}')],
        [("vp_token", "[" * 100_000)],
        [("vp_token", "\ud800")],
        [("vp_token", '{"a":["b"]}'), ("error", "access_denied")],
        [("vp_token", '{"a":["b"]}'), ("state", "ü")],
        [("error", "Access Denied")],
        [("error", "")],
    ],
)
def test_responses_that_are_refused(form: list[tuple[str, str]]) -> None:
    with pytest.raises(CredentialFormatError):
        read(form)


names = st.sampled_from(["vp_token", "state", "error", "response", "x"]) | st.text(max_size=4)


@given(
    st.lists(st.tuples(names, st.text() | st.just('{"a":["b"]}')), max_size=4),
    st.sampled_from([None, KEY]),
)
def test_any_form_is_a_response_or_an_own_error(form: list[tuple[str, str]], key: object) -> None:
    with contextlib.suppress(CredentialFormatError):
        read_response(open_response(form, response_key=key))  # type: ignore[arg-type]


def test_a_response_that_is_no_text_is_not_built() -> None:
    with pytest.raises(CredentialFormatError):
        build_response({"resident": ["\ud800"]}, request=REQUEST)
