"""`did:tegata`: the document follows the ledger's state, block by block."""

from pathlib import Path

import pytest
from support.issuer_world import ISSUER, IssuerWorld
from support.memory_ledger import MemoryLedger

from chaincode.encoding import decode_base64url
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.records import IssuerRecord
from client_sdk.credentials.jose import export_public_jwk, generate_key, thumbprint
from client_sdk.did.ledger_did import DEACTIVATED_KEY, DidTegata, ledger_did
from client_sdk.did.resolution import DidResolver
from client_sdk.errors import DidError, TransportError
from client_sdk.issuer import register_issuer
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import (
    add_signatory,
    compare_and_set_account_detail,
    remove_signatory,
)


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    made = IssuerWorld(tmp_path)
    made.store.close()
    return made


@pytest.fixture
def ledger(world: IssuerWorld) -> MemoryLedger:
    return world.ledger


@pytest.fixture
def resolver(world: IssuerWorld) -> DidResolver:
    client = world.ledger.client(REGISTRY_ACCOUNT)
    return DidResolver({"tegata": DidTegata(client, world.ledger_id)})


def test_an_issuers_document_has_its_registered_keys_for_assertions(
    world: IssuerWorld, resolver: DidResolver
) -> None:
    did = ledger_did(world.ledger_id, ISSUER)
    document = resolver.resolve(did)
    jwk = export_public_jwk(world.signing_key)
    url = f"{did}#{thumbprint(world.signing_key)}"
    assert export_public_jwk(document.key(url, "assertionMethod")) == jwk
    with pytest.raises(DidError, match="authentication"):
        document.key(url, "authentication")
    fields = document.to_json()
    assert fields["id"] == did
    assert fields["assertionMethod"] == [url]


def test_signatories_authenticate_and_sign_no_credentials(
    world: IssuerWorld, ledger: MemoryLedger, resolver: DidResolver
) -> None:
    did = ledger_did(world.ledger_id, ISSUER)
    (url,) = resolver.resolve(did).relationships["authentication"]
    raw = decode_base64url(str(export_public_jwk(resolver.key(url, "authentication"))["x"]))
    assert ledger.keys[ISSUER].public_key == f"ed0120{raw.hex()}"
    with pytest.raises(DidError, match="assertionMethod"):
        resolver.key(url, "assertionMethod")


def test_a_new_signatory_updates_the_document(
    world: IssuerWorld, ledger: MemoryLedger, resolver: DidResolver
) -> None:
    did, new_key = ledger_did(world.ledger_id, ISSUER), AccountKey.generate()
    before = resolver.resolve(did).relationships["authentication"]
    client = ledger.client(ISSUER)
    client.submit(add_signatory(ISSUER, new_key.public_key))
    assert len(resolver.resolve(did).relationships["authentication"]) == 2
    client.submit(remove_signatory(ISSUER, new_key.public_key))
    assert resolver.resolve(did).relationships["authentication"] == before


def test_a_withdrawn_issuer_has_no_key_for_assertions(
    world: IssuerWorld, ledger: MemoryLedger, resolver: DidResolver
) -> None:
    withdrawn = IssuerRecord(
        issuer=ISSUER,
        credential_types=world.record.credential_types,
        keys=world.record.keys,
        state="withdrawn",
    )
    register_issuer(ledger.client(REGISTRY_ACCOUNT), withdrawn, record_id=world.issuer_record)
    document = resolver.resolve(ledger_did(world.ledger_id, ISSUER))
    assert document.relationships["assertionMethod"] == frozenset()
    assert document.relationships["authentication"]


def test_anothers_registration_is_not_in_the_document(
    world: IssuerWorld, ledger: MemoryLedger, resolver: DidResolver
) -> None:
    other = IssuerRecord(
        issuer="stranger@tegata",
        credential_types=world.record.credential_types,
        keys=(export_public_jwk(generate_key("ES256")),),
        state="active",
    )
    did = ledger_did(world.ledger_id, ISSUER)
    before = resolver.resolve(did)
    register_issuer(ledger.client(REGISTRY_ACCOUNT), other)
    assert resolver.resolve(did).keys.keys() == before.keys.keys()


def test_an_account_deactivates_its_did(
    world: IssuerWorld, ledger: MemoryLedger, resolver: DidResolver
) -> None:
    command = compare_and_set_account_detail(ISSUER, DEACTIVATED_KEY, "true", old_value=None)
    ledger.client(ISSUER).submit(command)
    document = resolver.resolve(ledger_did(world.ledger_id, ISSUER))
    assert document.is_deactivated
    assert document.keys == {}


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("{ledger}:tegata:nobody", "no such account"),
        ("{other}:tegata:city", "another ledger"),
        ("{ledger}:tegata", "a ledger, a domain and a name"),
        ("{ledger}:tegata:City", "a ledger, a domain and a name"),
        ("{ledger}:-:city", "no account can have this name"),
        ("city", "a ledger, a domain and a name"),
    ],
)
def test_what_is_no_account_here_is_refused(
    world: IssuerWorld, resolver: DidResolver, identifier: str, words: str
) -> None:
    did = "did:tegata:" + identifier.format(ledger=world.ledger_id, other="ab" * 32)
    with pytest.raises(DidError, match=words):
        resolver.resolve(did)


def test_an_unreachable_ledger_is_no_answer(world: IssuerWorld, resolver: DidResolver) -> None:
    world.ledger.reachable = False
    with pytest.raises(TransportError):
        resolver.resolve(ledger_did(world.ledger_id, ISSUER))
