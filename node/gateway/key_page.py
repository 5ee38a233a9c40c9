"""The verifier's API keys: made, shown once, revoked."""

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from node.errors import ApiError
from node.gateway.api_keys import ApiKeyStore, Scope
from node.gateway.page_words import KEY_STATES, SCOPES
from node.gateway.verifier_page import VerifierDesk
from node.web.languages import gettext

_DAY_MS: Final = 86_400_000
LIFETIMES_DAYS: Final = (30, 90, 365)
MAX_NOTE_CHARS: Final = 100


def add_keys(blueprint: Blueprint, desk: VerifierDesk, keys: ApiKeyStore) -> None:
    """Add the page of API keys."""

    def page(token: str | None = None, refusal: str | None = None) -> str:
        now_ms = desk.now_ms()
        return render_template(
            "verifier/keys.html",
            keys=[
                {
                    "id": key.id,
                    "note": key.note,
                    "scopes": [gettext(SCOPES[scope]) for scope in key.scopes],
                    "created_at_ms": key.created_at_ms,
                    "expires_at_ms": key.expires_at_ms,
                    "is_live": key.state_at(now_ms) == "live",
                    "state": gettext(KEY_STATES[key.state_at(now_ms)]),
                }
                for key in keys.of_verifier(desk.verifier())
            ],
            scopes=SCOPES,
            lifetimes=LIFETIMES_DAYS,
            most_chars=MAX_NOTE_CHARS,
            token=token,
            refusal=refusal,
        )

    @blueprint.get("/keys")
    def list_keys() -> str:
        return page()

    @blueprint.post("/keys")
    def make_key() -> ResponseReturnValue:
        scopes = [scope for scope in Scope if scope in request.form.getlist("scopes")]
        days = request.form.get("days", type=int)
        note = request.form.get("note", "").strip()
        if not scopes:
            return page(refusal=gettext("Choose what the key opens.")), 422
        if days not in LIFETIMES_DAYS or len(note) > MAX_NOTE_CHARS:
            return page(refusal=gettext("Something that you entered is not acceptable.")), 422
        now_ms = desk.now_ms()
        _, token = keys.create(
            desk.verifier(),
            scopes=scopes,
            now_ms=now_ms,
            expires_at_ms=now_ms + days * _DAY_MS,
            note=note,
        )
        # Shown in the answer itself: nobody can read it again.
        return page(token=token), 201

    @blueprint.post("/keys/<key_id>/revoke")
    def revoke_key(key_id: str) -> ResponseReturnValue:
        own = {key.id for key in keys.of_verifier(desk.verifier())}
        if key_id not in own:
            raise ApiError(404, "unknown_key", "There is no such key", "Look at the list again.")
        keys.revoke(key_id, now_ms=desk.now_ms())
        return redirect(url_for("verifier.list_keys"), 303)
