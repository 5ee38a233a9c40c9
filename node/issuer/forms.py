"""Forms and queries of OAuth 2.0: each parameter once (RFC 6749 section 3.1)."""

from typing import Final

from flask import request
from werkzeug.datastructures import MultiDict

from node.issuer.errors import ProtocolError

_FORM: Final = "application/x-www-form-urlencoded"


def read_form() -> dict[str, str]:
    """Return the parameters of the current request's body.

    Raises:
        ProtocolError: It is no form, or a parameter stands there twice.
    """
    if request.mimetype != _FORM:
        raise ProtocolError("invalid_request", f"send a form ({_FORM})")
    return one_of_each(request.form)


def one_of_each(parameters: MultiDict[str, str]) -> dict[str, str]:
    """Return parameters by their names.

    Raises:
        ProtocolError: One stands there twice.
    """
    values = parameters.to_dict(flat=False)
    if any(len(found) != 1 for found in values.values()):
        raise ProtocolError("invalid_request", "a parameter stands there twice")
    return {name: found[0] for name, found in values.items()}
