"""How a wallet asks an issuer's service for its account on the ledger.

The wallet signs a text with the account's key; the service makes the account. A one-time enrolment
code, which the service's operator hands to the person, entitles to one account.
"""

import hashlib
from base64 import b32encode
from typing import Final

from client_sdk.errors import OfferError

MAX_CODE_CHARS: Final = 128
_DOMAIN: Final = "tegata account enrolment v1"
_NAME_BYTES: Final = 20


def account_name(enrolment_code: str, public_key: str) -> str:
    """Return the name of a new account: 32 characters of `a-z2-7` that say nothing of a person.

    It follows from the secret code and the key, so a wallet that lost the answer can ask again and
    gets the same account.

    Args:
        enrolment_code: The code.
        public_key: The account's key, in the form that Iroha writes.

    Raises:
        OfferError: The code is not a text of acceptable length.
    """
    _validate_code(enrolment_code)
    digest = hashlib.blake2b(
        f"{_DOMAIN}\n{public_key.lower()}".encode(),
        key=hashlib.sha256(enrolment_code.encode()).digest(),
        digest_size=_NAME_BYTES,
    ).digest()
    return b32encode(digest).decode("ascii").lower()


def enrolment_message(
    *, issuer_url: str, account_id: str, public_key: str, enrolment_code: str
) -> bytes:
    """Return what the account's key signs. It cannot be read as a transaction of the ledger.

    Args:
        issuer_url: The issuer's identifier.
        account_id: The account that is to be made.
        public_key: Its key, in the form that Iroha writes.
        enrolment_code: The code, of which only the hash goes into the text.

    Raises:
        OfferError: The code is not a text of acceptable length.
    """
    _validate_code(enrolment_code)
    code_hash = hashlib.sha256(enrolment_code.encode()).hexdigest()
    return "\n".join([_DOMAIN, issuer_url, account_id, public_key.lower(), code_hash]).encode()


def _validate_code(code: str) -> None:
    if not 1 <= len(code) <= MAX_CODE_CHARS or not code.isascii():
        raise OfferError(
            f"the enrolment code has 1 to {MAX_CODE_CHARS} letters, digits and hyphens"
        )
