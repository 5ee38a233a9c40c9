"""`did:tegata`: accounts on a ledger, with the keys that it has of them (docs/did-method.md)."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from chaincode.encoding import JsonObject, encode_base64url
from chaincode.errors import DecodeError
from chaincode.ids import ACCOUNT_ID, REGISTRY_ACCOUNT
from chaincode.records import IssuerRecord, decode_record
from chaincode.signatures import KeyAlgorithm, parse_public_key
from client_sdk.credentials.jose import Key, parse_public_jwk, thumbprint
from client_sdk.did.document import DidDocument, Relationship
from client_sdk.errors import DidError, DidNotFoundError, KeyFormatError, QueryFailedError

METHOD: Final = "tegata"
DEACTIVATED_KEY: Final = "did_deactivated"
"""The detail that an account writes to itself to deactivate its DID; its value is `true`."""
_IDENTIFIER: Final = re.compile(r"([0-9a-f]{64}):([A-Za-z0-9.-]+):([a-z0-9_]+)")


class DidLedger(Protocol):
    """What the method reads: `client_sdk.ledger.client.LedgerClient` has it."""

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""

    def account_detail(self, account_id: str, key: str, *, writer: str) -> str | None:
        """Return one detail's value, or None where it does not exist."""

    def details(self, account_id: str, *, writer: str) -> dict[str, str]:
        """Return all details of an account that `writer` wrote, by key."""


def ledger_did(ledger_id: str, account_id: str) -> str:
    """Return the DID of an account.

    Args:
        ledger_id: The ledger's id, 64 hex digits.
        account_id: `name@domain`.
    """
    name, _, domain = account_id.partition("@")
    return f"did:{METHOD}:{ledger_id}:{domain}:{name}"


class DidTegata:
    """`did:tegata`, on one ledger."""

    def __init__(self, ledger: DidLedger, ledger_id: str) -> None:
        """Take a client of the ledger with this id, 64 hex digits."""
        self._ledger = ledger
        self._ledger_id = ledger_id

    def resolve(self, did: str, identifier: str) -> DidDocument:
        """Return the document that the ledger's state stands for now.

        Raises:
            DidNotFoundError: Of another ledger, or there is no such account.
            DidError: Not of this form.
            TransportError: The ledger cannot be reached.
        """
        match = _IDENTIFIER.fullmatch(identifier)
        if match is None:
            raise DidError(f"did:{METHOD}: a ledger, a domain and a name are expected")
        ledger_id, domain, name = match.groups()
        account_id = f"{name}@{domain}"
        if not ACCOUNT_ID.fullmatch(account_id):
            raise DidError(f"did:{METHOD}: no account can have this name")
        if ledger_id != self._ledger_id:
            raise DidNotFoundError(f"did:{METHOD}: an account on another ledger than this one")
        try:
            signatories = self._ledger.signatories(account_id)
            state = self._ledger.account_detail(account_id, DEACTIVATED_KEY, writer=account_id)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            raise DidNotFoundError(f"{did}: there is no such account on the ledger") from None
        if state == "true":
            return DidDocument(did=did, keys={}, relationships={}, is_deactivated=True)
        own = _name_keys(did, map(_key_of_signatory, signatories))
        issuing = _name_keys(did, self._issuer_keys(account_id))
        relationships: dict[Relationship, frozenset[str]] = {
            "assertionMethod": frozenset(issuing),
            "authentication": frozenset(own),
        }
        return DidDocument(did=did, keys={**own, **issuing}, relationships=relationships)

    def _issuer_keys(self, account_id: str) -> Iterator[Key | None]:
        """Yield the keys of the account's registrations that are in force."""
        details = self._ledger.details(REGISTRY_ACCOUNT, writer=REGISTRY_ACCOUNT)
        for name, value in details.items():
            if not name.startswith(IssuerRecord.prefix):
                continue
            try:
                record = decode_record(value, IssuerRecord)
            except DecodeError:
                continue
            if record.issuer == account_id and record.state == "active":
                yield from map(_usable, record.keys)


def _name_keys(did: str, keys: Iterable[Key | None]) -> dict[str, Key]:
    """Return the keys of kinds that JOSE knows by their DID URLs: each is named by thumbprint."""
    named = {f"{did}#{thumbprint(key)}": key for key in keys if key is not None}
    return dict(sorted(named.items()))


def _key_of_signatory(text: str) -> Key | None:
    """Return the key of a signatory; None for Iroha's SHA-3 scheme, which JOSE does not know."""
    key = parse_public_key(text)
    if key.algorithm is not KeyAlgorithm.ED25519_SHA2:
        return None
    return _usable({"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(key.raw)})


def _usable(jwk: JsonObject) -> Key | None:
    try:
        return parse_public_jwk(jwk)
    except KeyFormatError:
        return None
