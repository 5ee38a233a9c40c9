"""What `tegata gateway add-verifier` registers a verifier to ask."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import click

from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.errors import UnknownPurposeError
from client_sdk.formats import FORMATS
from client_sdk.openid4vp.access_certificate import AccessIdentity
from client_sdk.openid4vp.verifier_registration import (
    MAX_REGISTRATIONS,
    RegisteredCredential,
    Registration,
    sign_registration,
)
from client_sdk.purposes import PurposeTerm, find_term

_DAY_S: Final = 86_400
_Command = TypeVar("_Command", bound=Callable[..., object])

may_ask_option: Callable[[_Command], _Command] = click.option(
    "--may-ask",
    multiple=True,
    metavar="PURPOSE=ATTRIBUTE,...",
    help="Register it to ask for attributes of a resident's credential, of any format, for a "
    "purpose that `tegata gateway purposes` lists; may be given more than once. "
    "Wallets warn of all else.",
)


def parse_uses(texts: tuple[str, ...]) -> tuple[tuple[PurposeTerm, tuple[str, ...]], ...]:
    """Return purposes and attributes of the option's values.

    Raises:
        BadParameter: A value is not in the form, or there are too many.
    """
    if len(texts) > MAX_REGISTRATIONS:
        raise click.BadParameter(f"--may-ask: at most {MAX_REGISTRATIONS} times")
    uses = []
    for text in texts:
        purpose, _, names = text.partition("=")
        attributes = tuple(name.strip() for name in names.split(",") if name.strip())
        if not attributes:
            raise click.BadParameter(f"--may-ask: {text!r} is not PURPOSE=ATTRIBUTE,...")
        try:
            uses.append((find_term(purpose.strip()), attributes))
        except UnknownPurposeError as error:
            raise click.BadParameter(f"--may-ask: {error}") from None
    return tuple(uses)


def register(
    uses: tuple[tuple[PurposeTerm, tuple[str, ...]], ...],
    identity: AccessIdentity,
    *,
    authority: AccessIdentity,
    days: int,
) -> tuple[str, ...]:
    """Return a registration certificate for each use, for a credential of every format."""
    now_s = int(time.time())
    return tuple(
        sign_registration(
            Registration(
                client_id=identity.client_id,
                name=identity.name,
                purpose=purpose,
                words=purpose.english,
                credentials=tuple(
                    RegisteredCredential(
                        format=name,
                        types=(RESIDENT_CREDENTIAL_TYPE,),
                        paths=tuple(
                            (*known.attribute_prefix, attribute) for attribute in attributes
                        ),
                    )
                    for name, known in FORMATS.items()
                ),
                issued_at=now_s,
                expires_at=now_s + days * _DAY_S,
            ),
            authority,
        )
        for purpose, attributes in uses
    )
