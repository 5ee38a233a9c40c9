"""Every check of a presentation, each spoiled alone."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_ledger import MemoryLedger
from support.presentation_world import ATTRIBUTES, HOLDER, NOW_MS, RESIDENT, World

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import NO_ID, CredentialRecord, GrantRecord, IssuerRecord
from chaincode.records.recovery import RecoveryStatus
from client_sdk import errors
from client_sdk.checks import CHECKS, VerifiedAttributes
from client_sdk.credentials.jose import export_public_jwk, generate_key
from client_sdk.credentials.sd_jwt_vc import anchor_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account
from client_sdk.ledger.grants import new_record_id, new_salt
from client_sdk.openid4vp.grant_offer import GrantProof, encode_grant_offer, parse_grant_offer
from client_sdk.openid4vp.request_object import PresentationRequest
from client_sdk.verifier import Verifier


@pytest.fixture
def world() -> World:
    return World()


def refusal(
    world: World, presentation: str, request: PresentationRequest
) -> errors.VerificationError:
    with pytest.raises(errors.VerificationError) as caught:
        world.verifier.verify(presentation, request)
    error = caught.value
    assert [check.name for check in error.checks] == list(CHECKS)
    assert [check.name for check in error.checks if check.passed is False] == [error.check]
    for check in error.checks:
        assert not any(str(value) in check.detail for value in ATTRIBUTES.values())
    report = world.verifier.report(presentation, request)
    assert not report.accepted
    assert report.attributes is None
    assert report.checks == error.checks
    return error


def passed(error: errors.VerificationError) -> list[str]:
    return [check.name for check in error.checks if check.passed]


def test_a_genuine_presentation_proves_exactly_what_was_asked(world: World) -> None:
    request = world.request("address")
    verified = world.verifier.verify(world.present(request), request)
    assert verified.attributes == {"address": ATTRIBUTES["address"]}
    assert [check.name for check in verified.checks] == list(CHECKS)
    assert all(check.passed for check in verified.checks)
    assert "Chiyoda" not in repr(verified)
    report = world.verifier.report(world.present(request), request)
    assert report.accepted
    assert "Chiyoda" not in repr(report)


def recovery_status(**changes: Any) -> RecoveryStatus:
    status = RecoveryStatus(item="tg_recover_" + "1" * 32, state="open", until_ms=NOW_MS + 1)
    return dataclasses.replace(status, **changes)


@pytest.mark.parametrize(
    "changes",
    [{"state": "finished"}, {"state": "vetoed"}, {"until_ms": NOW_MS}, {"item": "tg_change_1"}],
    ids=str,
)
def test_when_no_recovery_is_open_any_more_the_account_shows_again(
    world: World, changes: dict[str, Any]
) -> None:
    world.ledger.put(HOLDER, NO_ID, recovery_status(**changes))
    request = world.request()
    assert world.verifier.verify(world.present(request), request).attributes


Spoil = Callable[[World, PresentationRequest], str]


def forged(world: World, request: PresentationRequest) -> str:
    credential = world.issue(issuer_key=generate_key())
    return world.present(request, credential=credential)


def changed_disclosure(world: World, request: PresentationRequest) -> str:
    other = world.issue(anchored=False)
    presentation = world.present(request)
    issuer_jwt, _, key_binding = presentation.split("~")
    foreign = other.split("~")[1]
    return f"{issuer_jwt}~{foreign}~{key_binding}"


def unregistered(world: World, request: PresentationRequest) -> str:
    world.register(issuer="other@tegata")
    return world.present(request)


def withdrawn(world: World, request: PresentationRequest) -> str:
    world.register(state="withdrawn")
    return world.present(request)


def other_type(world: World, request: PresentationRequest) -> str:
    world.register(credential_types=("urn:tegata:credential:library:1",))
    return world.present(request)


def unregistered_key(world: World, request: PresentationRequest) -> str:
    world.register(keys=({"kty": "EC", "crv": "P-384", "x": "", "y": ""},))
    return world.present(request)


def expired(world: World, request: PresentationRequest) -> str:
    return world.present(request, credential=world.issue(expires_at=NOW_MS // 1000 - 3600))


def old_answer(world: World, request: PresentationRequest) -> str:
    return world.present(request, issued_at=NOW_MS // 1000 - 3600)


def without_key_binding(world: World, request: PresentationRequest) -> str:
    return world.present(request).rpartition("~")[0] + "~"


def other_audience(world: World, request: PresentationRequest) -> str:
    return world.present(request, audience=request.client_id.partition(":")[2])


def without_terms(world: World, request: PresentationRequest) -> str:
    proof = world.grant(request)
    return world.present(request, extra_claims=proof.to_claims(()))


def other_terms(world: World, request: PresentationRequest) -> str:
    proof = world.grant(request)
    return world.present(
        request, extra_claims=proof.to_claims(world.request("name").transaction_data)
    )


def other_hash(world: World, request: PresentationRequest) -> str:
    claims = world.grant(request).to_claims(request.transaction_data)
    return world.present(request, extra_claims={**claims, "transaction_data_hashes_alg": "sha-512"})


def without_proof(world: World, request: PresentationRequest) -> str:
    claims = world.grant(request).to_claims(request.transaction_data)
    del claims["tegata"]
    return world.present(request, extra_claims=claims)


def malformed_opening(world: World, request: PresentationRequest) -> str:
    proof = dataclasses.replace(world.grant(request), opening="AAAA")
    return world.present(request, proof)


def other_nonce(world: World, request: PresentationRequest) -> str:
    return world.present(request, nonce=new_salt())


def more_than_asked(world: World, request: PresentationRequest) -> str:
    return world.present(request, paths=[("address",), ("name",)])


def less_than_asked(world: World, request: PresentationRequest) -> str:
    return world.present(request, paths=[])


def no_anchor(world: World, request: PresentationRequest) -> str:
    world.ledger.details = {
        place: value for place, value in world.ledger.details.items() if "tg_cred_" not in place[1]
    }
    return world.present(request)


def other_anchor(world: World, request: PresentationRequest) -> str:
    world.anchor(world.credential, salted_hash=bytes(32))
    return world.present(request)


def other_ledger(world: World, request: PresentationRequest) -> str:
    return world.present(request, credential=world.issue(place={"ledger": "cd" * 32}))


def no_place(world: World, request: PresentationRequest) -> str:
    return world.present(request, credential=world.issue(claims={"tegata": "somewhere"}))


def no_issuer_account(world: World, request: PresentationRequest) -> str:
    return world.present(request, credential=world.issue(place={"issuer": ["x"]}))


def no_record_id(world: World, request: PresentationRequest) -> str:
    return world.present(request, credential=world.issue(place={"record": "ÿ" * 32}))


def suspended(world: World, request: PresentationRequest) -> str:
    world.anchor(world.credential, state="suspended")
    return world.present(request)


def revoked(world: World, request: PresentationRequest) -> str:
    world.anchor(world.credential, state="revoked")
    return world.present(request)


def record_expired(world: World, request: PresentationRequest) -> str:
    world.anchor(world.credential, expires_at_ms=NOW_MS)
    return world.present(request)


def key_removed(world: World, request: PresentationRequest) -> str:
    world.ledger.keys[HOLDER] = frozenset({AccountKey.generate().public_key})
    return world.present(request)


def no_account(world: World, request: PresentationRequest) -> str:
    del world.ledger.keys[HOLDER]
    return world.present(request)


def key_on_another_account(world: World, request: PresentationRequest) -> str:
    """A thief has the replaced key, adds it to his own account, and makes the grant there."""
    thief = "th13f@tegata"
    world.ledger.keys[HOLDER] = frozenset({AccountKey.generate().public_key})
    world.ledger.keys[thief] = frozenset({world.holder.public_key})
    proof = world.grant(request)
    detail = GrantRecord.key(proof.grant)
    world.ledger.details[thief, detail] = world.ledger.details.pop((HOLDER, detail))
    return world.present(request, dataclasses.replace(proof, account=thief))


def key_on_two_accounts(world: World, request: PresentationRequest) -> str:
    """As before, but the victim has not noticed yet: still the grant is not the victim's."""
    presentation = key_on_another_account(world, request)
    world.ledger.keys[HOLDER] = frozenset({world.holder.public_key})
    return presentation


def no_holder_account(world: World, request: PresentationRequest) -> str:
    return world.present(request, credential=world.issue(place={"account": None}))


def malformed_holder_account(world: World, request: PresentationRequest) -> str:
    return world.present(request, credential=world.issue(place={"account": [HOLDER]}))


def key_of_no_account(world: World, request: PresentationRequest) -> str:
    key = generate_key("ES256")
    return world.present(request, credential=world.issue(holder_key=key), holder_key=key)


def under_recovery(world: World, request: PresentationRequest) -> str:
    world.ledger.put(HOLDER, NO_ID, recovery_status())
    return world.present(request)


def no_grant(world: World, request: PresentationRequest) -> str:
    return world.present(request, dataclasses.replace(world.grant(request), grant=new_record_id()))


def grant_elsewhere(world: World, request: PresentationRequest) -> str:
    return world.present(request, dataclasses.replace(world.grant(request), ledger="cd" * 32))


def other_opening(world: World, request: PresentationRequest) -> str:
    return world.present(request, dataclasses.replace(world.grant(request), opening=new_salt()))


def spoiled_grant(**changes: object) -> Spoil:
    def spoil(world: World, request: PresentationRequest) -> str:
        return world.present(request, world.grant(request, **changes))

    return spoil


def grant_of_other_terms(world: World, request: PresentationRequest) -> str:
    other = world.request("name")
    proof = world.grant(other)
    return world.present(request, proof)


@pytest.mark.parametrize(
    ("spoil", "expected", "words"),
    [
        (forged, errors.SignatureError, "not signed by the issuer"),
        (changed_disclosure, errors.DisclosureError, "does not belong"),
        (unregistered, errors.IssuerNotTrustedError, "not in the registry"),
        (withdrawn, errors.IssuerNotTrustedError, "withdrawn"),
        (other_type, errors.IssuerNotTrustedError, "this kind"),
        (unregistered_key, errors.IssuerNotTrustedError, "key that is not registered"),
        (expired, errors.ExpiredError, "expired"),
        (old_answer, errors.ExpiredError, "older than 300 seconds"),
        (without_key_binding, errors.HolderBindingError, "did not sign"),
        (other_audience, errors.HolderBindingError, "another verifier"),
        (without_terms, errors.HolderBindingError, "terms of this request"),
        (other_terms, errors.HolderBindingError, "terms of this request"),
        (other_hash, errors.HolderBindingError, "terms of this request"),
        (without_proof, errors.HolderBindingError, "names no grant"),
        (malformed_opening, errors.HolderBindingError, "tegata.opening"),
        (other_nonce, errors.NonceMismatchError, "another request"),
        (more_than_asked, errors.RequestMismatchError, "showed name"),
        (less_than_asked, errors.RequestMismatchError, "did not show address"),
        (no_anchor, errors.AnchorError, "no record"),
        (other_anchor, errors.AnchorError, "another credential"),
        (other_ledger, errors.AnchorError, "another ledger"),
        (no_place, errors.AnchorError, "where its record is"),
        (no_issuer_account, errors.AnchorError, "issuer's account"),
        (no_record_id, errors.AnchorError, "name its record"),
        (suspended, errors.RevokedError, "suspended"),
        (revoked, errors.RevokedError, "revoked"),
        (record_expired, errors.RevokedError, "has expired"),
        (key_removed, errors.HolderKeyError, "no longer"),
        (no_account, errors.HolderKeyError, "no longer"),
        (key_on_another_account, errors.HolderKeyError, "another account"),
        (key_on_two_accounts, errors.HolderKeyError, "another account"),
        (no_holder_account, errors.HolderKeyError, "does not name its holder's account"),
        (malformed_holder_account, errors.HolderKeyError, "does not name its holder's account"),
        (key_of_no_account, errors.HolderKeyError, "not bound to a key of a ledger account"),
        (under_recovery, errors.RecoveryOpenError, "being recovered"),
        (no_grant, errors.GrantError, "no such grant"),
        (grant_elsewhere, errors.GrantError, "another ledger"),
        (other_opening, errors.GrantError, "other terms"),
        (spoiled_grant(state="revoked"), errors.GrantError, "revoked"),
        (spoiled_grant(expires_at_ms=NOW_MS), errors.GrantError, "expired"),
        (spoiled_grant(gateway="other@tegata"), errors.GrantError, "another gateway"),
        (spoiled_grant(uses=2), errors.GrantError, "number of uses"),
        (spoiled_grant(expires_at_ms=NOW_MS + 1), errors.GrantError, "another end"),
        (grant_of_other_terms, errors.GrantError, "other terms"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_spoiled_presentation_fails_its_own_check(
    world: World, spoil: Spoil, expected: type[errors.VerificationError], words: str
) -> None:
    request = world.request("address")
    error = refusal(world, spoil(world, request), request)
    assert type(error) is expected
    failed = next(check for check in error.checks if check.passed is False)
    assert words in failed.detail


@pytest.mark.parametrize(
    ("spoil", "known"),
    [
        (no_anchor, ["presentation"]),
        (forged, ["presentation", "issuer_trusted"]),
        (expired, ["presentation", "issuer_signature", "issuer_trusted", "disclosures"]),
        (revoked, list(CHECKS)[: list(CHECKS).index("status")]),
        (other_nonce, list(CHECKS)[: list(CHECKS).index("nonce")]),
        (other_audience, list(CHECKS)[: list(CHECKS).index("holder_binding")]),
        (spoiled_grant(state="revoked"), list(CHECKS)[:-1]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_only_what_was_found_is_said_to_have_passed(
    world: World, spoil: Spoil, known: list[str]
) -> None:
    request = world.request("address")
    assert passed(refusal(world, spoil(world, request), request)) == known


def test_a_credential_of_another_type_is_refused(world: World) -> None:
    library = "urn:tegata:credential:library:1"
    world.register(credential_types=(library, "urn:tegata:credential:resident:1"))
    request = world.request("address")
    error = refusal(world, world.present(request, credential=world.issue(vct=library)), request)
    assert error.check == "request_match"
    assert "validity" not in passed(error)


def test_an_offer_of_another_gateway_is_not_served(world: World) -> None:
    request = world.request("address")
    offer = parse_grant_offer(request.transaction_data[0])
    foreign = encode_grant_offer(dataclasses.replace(offer, gateway="other@tegata"))
    request = dataclasses.replace(request, transaction_data=(foreign,))
    proof = world.grant(request, gateway=offer.gateway)
    assert refusal(world, world.present(request, proof), request).check == "grant"


def test_an_answer_to_one_request_is_none_to_another(world: World) -> None:
    first, second = world.request("address"), world.request("address")
    error = refusal(world, world.present(first), second)
    assert error.check == "nonce"


def test_nothing_is_decided_while_the_ledger_is_away(world: World) -> None:
    request = world.request("address")
    presentation = world.present(request)
    world.ledger.cut_off()
    with pytest.raises(errors.TransportError):
        world.verifier.report(presentation, request)


def test_a_ledger_that_refuses_the_gateway_is_no_refusal_of_the_holder(world: World) -> None:
    request = world.request("address")
    presentation = world.present(request)
    world.ledger.failure = errors.QueryFailedError("no", reason="STATEFUL_INVALID", code=2)
    with pytest.raises(errors.QueryFailedError):
        world.verifier.report(presentation, request)


def test_an_account_that_does_not_exist_holds_no_record(world: World) -> None:
    request = world.request("address")
    presentation = world.present(request)
    world.ledger.failure = errors.QueryFailedError("no", reason="NO_ACCOUNT_DETAIL", code=0)
    assert refusal(world, presentation, request).check == "anchor"


def test_keys_that_may_not_be_read_are_no_refusal_of_the_holder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_account: str) -> frozenset[str]:
        raise errors.QueryFailedError("no", reason="STATEFUL_INVALID", code=2)

    request = world.request("address")
    monkeypatch.setattr(world.ledger, "signatories", refuse)
    with pytest.raises(errors.QueryFailedError):
        world.verifier.verify(world.present(request), request)


def test_a_request_without_a_grant_offer_cannot_be_checked(world: World) -> None:
    request = world.request("address")
    plain = dataclasses.replace(request, transaction_data=())
    with pytest.raises(errors.RequestError, match="grant offer"):
        world.verifier.verify(world.present(request), plain)


_WORLD = World()
_REQUEST = _WORLD.request("address")
_GENUINE = _WORLD.present(_REQUEST)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_refused_as_a_presentation(text: str) -> None:
    assert refusal(_WORLD, text, _REQUEST).check == "presentation"


@given(st.integers(0, len(_GENUINE) - 1), st.characters())
def test_a_changed_character_never_passes(place: int, character: str) -> None:
    changed = _GENUINE[:place] + character + _GENUINE[place + 1 :]
    if changed != _GENUINE:
        refusal(_WORLD, changed, _REQUEST)


class OnRealRules:
    """A ledger with the real rules, on which a city issued a credential to an account."""

    city, gateway = "city@issuer", "counter@gateway"

    def __init__(self, holder: str, *others: str) -> None:
        self.ledger = MemoryLedger.tegata(clock=lambda: NOW_MS)
        self.world = World()
        for account in (self.city, self.gateway, *others):
            self.ledger.add_account(account)
        self.ledger.submit("admin@tegata", create_account(holder, self.world.holder.public_key))
        self.ledger.keys[holder] = self.world.holder
        self.reader = self.ledger.client(self.gateway)
        self.ledger_id = self.reader.ledger_id()
        registered = IssuerRecord(
            issuer=self.city,
            credential_types=(RESIDENT,),
            keys=(export_public_jwk(self.world.issuer_key),),
            state="active",
        )
        self.ledger.write_record(REGISTRY_ACCOUNT, self.world.registry_id, registered)
        place = {"ledger": self.ledger_id, "issuer": self.city, "account": holder}
        self.credential = self.world.issue(place=place, anchored=False)
        self.anchor = CredentialRecord(
            salted_hash=anchor_hash(self.credential.partition("~")[0]),
            issuer_record=self.world.registry_id,
            expires_at_ms=NOW_MS + 86_400_000,
            state="active",
        )
        self.ledger.write_record(self.city, self.world.record_id, self.anchor)
        self.verifier = Verifier(
            self.reader, self.ledger_id, gateway=self.gateway, now_ms=lambda: NOW_MS
        )

    def ask_granted_by(self, account: str) -> tuple[PresentationRequest, GrantProof, GrantRecord]:
        """Return a request for the address, and the grant that an account made for it."""
        request = self.world.request("address")
        offer = dataclasses.replace(
            parse_grant_offer(request.transaction_data[0]),
            gateway=self.gateway,
            ledger=self.ledger_id,
        )
        proof = GrantProof(
            ledger=self.ledger_id,
            account=account,
            grant=new_record_id(),
            receipt_key=bytes(32),
            opening=new_salt(),
        )
        grant = GrantRecord(
            commitment=offer.terms(self.world.record_id).commitment(proof.opening),
            gateway=self.gateway,
            expires_at_ms=offer.expires_at_ms,
            uses=1,
            state="live",
        )
        self.ledger.write_record(account, proof.grant, grant)
        asked = dataclasses.replace(request, transaction_data=(encode_grant_offer(offer),))
        return asked, proof, grant

    def verify(self, request: PresentationRequest, proof: GrantProof) -> VerifiedAttributes:
        presentation = self.world.present(request, proof, credential=self.credential)
        return self.verifier.verify(presentation, request)


def test_against_a_ledger_with_the_real_rules() -> None:
    """Issuer, holder and gateway write and read through `LedgerClient`."""
    holder = "h4f2@holder"
    real = OnRealRules(holder)
    request, proof, grant = real.ask_granted_by(holder)
    assert real.verify(request, proof).grant.id == proof.grant

    ledger, record_id, anchor = real.ledger, real.world.record_id, real.anchor
    ledger.write_record(real.city, record_id, dataclasses.replace(anchor, state="suspended"))
    with pytest.raises(errors.RevokedError):
        real.verify(request, proof)
    ledger.write_record(real.city, record_id, anchor)
    ledger.write_record(holder, proof.grant, dataclasses.replace(grant, state="revoked"))
    with pytest.raises(errors.GrantError):
        real.verify(request, proof)
    with pytest.raises(errors.HolderKeyError):
        real.verify(request, dataclasses.replace(proof, account="nobody@holder"))
    ledger.reachable = False
    with pytest.raises(errors.TransportError):
        real.verify(request, proof)


def test_a_replaced_key_is_of_no_use_on_the_thiefs_account() -> None:
    """By the ledger's own rules anybody may add anybody's key to an account of one's own."""
    victim, thief, fresh = "v1ct1m@holder", "th13f@holder", AccountKey.generate()
    real = OnRealRules(victim, thief)
    old_key = real.world.holder.public_key
    add, remove = Command(), Command()
    add.add_signatory.account_id = remove.remove_signatory.account_id = victim
    add.add_signatory.public_key = fresh.public_key
    remove.remove_signatory.public_key = old_key
    real.ledger.submit(victim, add)
    real.ledger.submit(victim, remove)
    steal = Command()
    steal.add_signatory.account_id = thief
    steal.add_signatory.public_key = old_key
    real.ledger.submit(thief, steal)
    assert real.reader.signatories(victim) == {fresh.public_key}
    assert old_key in real.reader.signatories(thief)

    request, proof, _ = real.ask_granted_by(thief)
    with pytest.raises(errors.HolderKeyError, match="another account"):
        real.verify(request, proof)
    with pytest.raises(errors.HolderKeyError, match="no longer"):
        real.verify(request, dataclasses.replace(proof, account=victim))


def test_an_answer_to_a_request_that_has_expired(world: World) -> None:
    request = world.request("address", expires_at=NOW_MS // 1000)
    with pytest.raises(errors.ExpiredError, match="the request has expired"):
        world.verifier.verify(world.present(request), request)
