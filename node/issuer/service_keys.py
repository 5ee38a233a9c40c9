"""Keys that all instances of the service share, sealed in its store."""

import json

from joserfc.jwk import ECKey
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from client_sdk.credentials.jose import export_private_jwk, parse_private_jwk
from client_sdk.credentials.jwe import generate_encryption_key
from client_sdk.strict_json import parse_strict_json_object
from node.database import Database
from node.errors import StorageError
from node.issuer.one_time_secret import seal, unseal
from node.issuer.tables import StoredKey


class ServiceKeys:
    """The table of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def encryption_key(self, secret: str) -> ECKey:
        """Return the key that wallets encrypt requests to; it is made at the first use.

        Args:
            secret: What seals it: the same in every instance.

        Raises:
            StorageError: The store's key was sealed under another secret.
        """
        name = "request encryption"
        found = self._find(name)
        if found is None:
            jwk = json.dumps(export_private_jwk(generate_encryption_key())).encode()
            try:
                with self._database.transaction() as session:
                    session.add(StoredKey(name=name, jwk=seal(jwk, secret)))
            except IntegrityError:
                pass  # Another instance was first.
            found = self._find(name)
        key = found and parse_private_jwk(parse_strict_json_object(unseal(found.jwk, secret)))
        if not isinstance(key, ECKey):
            raise StorageError("the store's encryption key is of another kind")
        return key

    def _find(self, name: str) -> StoredKey | None:
        return self._database.find_one(select(StoredKey).where(StoredKey.name == name))
