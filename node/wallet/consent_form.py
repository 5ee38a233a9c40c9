"""What the consent page lists, and the choices that come back from it.

The page says which credentials and attributes it listed, by a digest. An answer is sent only if the
choices that came with it lead to exactly the same: nobody consents to what the page did not show.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from chaincode.encoding import JsonValue
from client_sdk.errors import RequestError
from client_sdk.openid4vp.claims_path import ClaimsPath
from client_sdk.wallet.consent import PendingRequest
from node.wallet.words import ShownValue, attribute_name, show_value

_NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to answer a set of credentials.

    Attributes:
        value: What the form sends for it.
        paths: The attributes that it shows.
        is_chosen: Whether it is chosen now.
    """

    value: str
    paths: tuple[ClaimsPath, ...]
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A set of credentials that the holder has a choice about.

    Attributes:
        name: The form's field.
        options: What can be chosen.
        is_optional: Whether nothing of it may be shown.
    """

    name: str
    options: tuple[Option, ...]
    is_optional: bool

    @property
    def is_switch(self) -> bool:
        """Whether it is shown or not, and no more to choose."""
        return self.is_optional and len(self.options) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCredential:
    """What of one credential would be shown.

    Attributes:
        credential_type: Its type.
        rows: The attributes by name, with what the verifier would see.
    """

    credential_type: str
    rows: tuple[tuple[str, ShownValue], ...]


def choices_of(pending: PendingRequest) -> tuple[Choice, ...]:
    """Return what the holder can choose."""
    choices = []
    for place, (asked, chosen) in enumerate(zip(pending.sets, pending.options, strict=True)):
        if not asked.options or (asked.required and len(asked.options) == 1):
            continue
        choices.append(
            Choice(
                name=f"set-{place}",
                options=tuple(
                    Option(
                        value=str(option),
                        paths=_paths(pending, query_ids),
                        is_chosen=option == chosen,
                    )
                    for option, query_ids in enumerate(asked.options)
                ),
                is_optional=not asked.required,
            )
        )
    return tuple(choices)


def apply_choices(pending: PendingRequest, form: Mapping[str, str]) -> PendingRequest:
    """Return the request with the choices of a form; a switch that is off sends nothing.

    Raises:
        RequestError: A choice is none that the page has.
    """
    for choice in choices_of(pending):
        place = int(choice.name.removeprefix("set-"))
        value = form.get(choice.name, _NONE)
        if value != _NONE and value not in {option.value for option in choice.options}:
            raise RequestError("the page has no such choice; load it again")
        pending = pending.choose(place, None if value == _NONE else int(value))
    return pending


def listing_of(pending: PendingRequest) -> tuple[ListedCredential, ...]:
    """Return exactly what an answer would show."""
    return tuple(
        ListedCredential(
            credential_type=shown.credential.credential_type,
            rows=tuple(
                (attribute_name(share.path), show_value(share.path, share.value))
                for share in shown.shares
            ),
        )
        for shown in pending.shown
    )


def digest_of(pending: PendingRequest) -> str:
    """Return what names exactly this listing: request, credentials, paths; no value is in it."""
    listed: list[JsonValue] = [
        [shown.query_id, shown.credential.record_id, [list(share.path) for share in shown.shares]]
        for shown in pending.shown
    ]
    text = json.dumps([pending.request.token, listed])
    return hashlib.sha256(text.encode()).hexdigest()


def _paths(pending: PendingRequest, query_ids: tuple[str, ...]) -> tuple[ClaimsPath, ...]:
    return tuple(
        share.path for query_id in query_ids for share in pending.candidates[query_id][0].shares
    )
