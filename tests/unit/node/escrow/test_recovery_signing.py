"""Agents sign the opening and the end of a recovery together, for who may have it, and no more."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.escrow_world import CONTENTS, KDF, PASSWORD, EscrowWorld
from support.guarded_account import (
    DELAY_MS,
    ESCROW,
    HOLDER,
    ISSUER,
    NEW,
    OTHER,
    PHONE,
    THIEF,
    GuardedAccount,
    code_of,
)
from support.threshold import SHA2, SHA3, deal

from chaincode.encoding import encode_base64url
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import decode_record
from chaincode.records.recovery import FINISH_WITHIN_MS, RecoverRecord
from chaincode.signatures import KeyAlgorithm
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    generate_key,
    key_from_seed,
    thumbprint,
)
from client_sdk.errors import (
    ClientError,
    NotEnoughSignersError,
    ServiceRefusedError,
    TooFewAgentsError,
    TransactionFailedError,
    TransportError,
)
from client_sdk.escrow.account_binding import sign_binding
from client_sdk.escrow.backup import derive_keys, oprf_input
from client_sdk.escrow.counter_token import CounterToken
from client_sdk.escrow.protection import HolderBinding, Protection, protect
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.escrow.signing_agents import SigningAgents
from client_sdk.frost.signing import SigningPackage, commit
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import (
    add_signatory,
    create_account,
    remove_signatory,
    set_account_detail,
    set_record,
)
from client_sdk.threshold_oprf import blind, combine
from node.escrow.app import RecoveryParts

ID = "1" * 32
BINDING = HolderBinding(account=HOLDER, approving_issuer=ISSUER)


def opening(
    new: AccountKey = NEW, lost: AccountKey = PHONE, *, record_id: str = ID, account: str = HOLDER
) -> Command:
    record = RecoverRecord(new_key=new.public_key, lost_key=lost.public_key)
    return set_record(account, record_id, record)


def ending(new: AccountKey = NEW, lost: AccountKey = PHONE) -> list[Command]:
    return [add_signatory(HOLDER, new.public_key), remove_signatory(HOLDER, lost.public_key)]


class Agents:
    """Three agents that share the escrow account's key, a ledger, and a protected wallet."""

    def __init__(self, folder: Path, algorithm: KeyAlgorithm = SHA2) -> None:
        self.account = GuardedAccount()
        self.ledger = self.account.ledger
        self.shares = deal(2, 3, algorithm)
        self.group = self.shares[1].group
        assert self.account.submit(ESCROW, add_signatory(ESCROW, self.group.ledger_key)) == 0
        self.issuer_key = generate_key()
        key_file = folder / "issuer.jwk"
        key_file.write_text(json.dumps(export_public_jwk(self.issuer_key)))
        self.world = EscrowWorld(
            folder,
            issuers=[{"name": ISSUER, "key_file": key_file}],
            recovery=[
                RecoveryParts(escrow_account=ESCROW, share=share, ledger=self.ledger.client(ISSUER))
                for share in self.shares.values()
            ],
        )
        self.card, self.protection = self.protect()
        self.bind(self.card, self.protection)
        self.client = self.ledger.client(ESCROW, THIEF)  # Its own key signs nothing here.

    def protect(self, binding: HolderBinding = BINDING) -> tuple[RecoveryCard, Protection]:
        return protect(
            CONTENTS,
            self.world.urls,
            PASSWORD,
            threshold=2,
            http=self.world.http,
            now_ms=self.world.clock,
            kdf=KDF,
            binding=binding,
        )

    def bind(
        self,
        card: RecoveryCard,
        protection: Protection,
        *,
        account: str = HOLDER,
        key: AccountKey = PHONE,
        signed: str = "",
    ) -> None:
        signature = sign_binding(key, account=signed or account, handle=card.handle)
        for number in (1, 2, 3):
            self.world.client(number).bind_account(
                protection.secret.owner_key,
                card.handle,
                account=account,
                public_key=key.public_key,
                signature=signature,
            )

    def success_key(self, card: RecoveryCard | None = None, password: str = PASSWORD) -> Key:
        """Use an attempt with the password at two agents, as a new phone does."""
        card = card or self.card
        blinded = blind(oprf_input(handle=card.handle, agent_set=card.agent_set, secret=password))
        evaluations = []
        for number in (1, 2):
            status = self.world.client(number).status(card.key, card.handle)
            evaluation, _ = self.world.client(number).evaluate(
                card.key,
                card.handle,
                epoch=status.deposits[0].epoch,
                blinded_element=blinded.element,
            )
            evaluations.append(evaluation)
        terms = self.world.agents[0].store.change(
            card.handle, lambda transaction: transaction.deposits()[0].terms
        )
        output = combine(blinded, evaluations, terms.commitments)
        return derive_keys(
            output.value, handle=card.handle, agent_set=card.agent_set, kdf=KDF
        ).success_key

    def signers(self, key: Key, **fields: Any) -> SigningAgents:
        return SigningAgents(
            [self.world.client(number) for number in (1, 2, 3)],
            threshold=2,
            now_ms=self.world.clock,
            **{
                "handle": self.card.handle,
                "reading_key": self.protection.secret.owner_key,
                "key": key,
                **fields,
            },
        )

    def build(self, *commands: Command, created_ms: int | None = None) -> Transaction:
        transaction = self.client.build_transaction(*commands)
        reduced = transaction.payload.reduced_payload
        reduced.created_time = self.now_ms if created_ms is None else created_ms
        return transaction

    def send(self, signers: SigningAgents, *commands: Command) -> None:
        transaction = self.build(*commands)
        signers.sign_transaction(transaction)
        self.client.send(transaction)

    def refusal(self, signers: SigningAgents, *commands: Command, **fields: Any) -> str:
        with pytest.raises(NotEnoughSignersError) as refused:
            signers.sign_transaction(self.build(*commands, **fields))
        return str(refused.value)

    @property
    def now_ms(self) -> int:
        return max(self.account.last_block_ms, self.account.time_ms)

    def wait(self, milliseconds: int) -> None:
        """Let time pass, for the ledger and for the agents."""
        self.account.wait_until(self.account.last_block_ms + milliseconds)
        self.world.clock.now_ms = self.account.time_ms + 1

    def counter_token(self, phone: Key, **changes: Any) -> str:
        now_s = self.world.clock() // 1000
        fields: dict[str, Any] = {
            "issuer": ISSUER,
            "id": encode_base64url(bytes(16)),
            "issued_at": now_s,
            "expires_at": now_s + 300,
            "account": HOLDER,
            "key": thumbprint(phone),
            **changes,
        }
        return CounterToken(**fields).sign(self.issuer_key)


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[Agents]:
    made = Agents(tmp_path)
    yield made
    made.world.close()


@pytest.mark.parametrize("algorithm", [SHA2, SHA3])
def test_card_and_password_replace_the_key(tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    agents = Agents(tmp_path, algorithm)
    signers = agents.signers(agents.success_key())
    agents.send(signers, opening())
    assert agents.account.status.item == RecoverRecord.key(ID)
    assert "may be carried out from" in agents.refusal(signers, *ending())
    agents.wait(DELAY_MS)
    agents.send(signers, *ending())
    assert agents.account.signatories == {NEW.public_key}
    assert signers.left_out == ()
    log = [
        entry.event for entry in agents.world.client(1).log(agents.card.key, agents.card.handle)[0]
    ]
    assert "bound to account" in log
    assert log.count("signed: open recovery") == log.count("signed: finish recovery") == 1
    agents.world.close()


def test_the_new_key_finishes_without_the_password(agents: Agents) -> None:
    """A phone that was switched off for the window needs neither card nor password again."""
    agents.send(agents.signers(agents.success_key()), opening())
    agents.wait(DELAY_MS)
    by_thief = agents.signers(key_from_seed(THIEF.seed))
    assert "It takes the key of the success" in agents.refusal(by_thief, *ending())
    agents.send(agents.signers(key_from_seed(NEW.seed)), *ending())
    assert agents.account.signatories == {NEW.public_key}


class TestAccountState:
    """The new phone has no key with which the ledger would answer: the agents read for it."""

    def test_what_the_ledger_says(self, agents: Agents) -> None:
        client, handle = agents.world.client(), agents.card.handle
        for key in (agents.card.key, agents.protection.secret.owner_key, agents.success_key()):
            state = client.account_state(key, handle, counter_token=None)
            assert state.account == HOLDER
            assert state.signatories == {PHONE.public_key}
            assert state.details.keys() == {HOLDER}
            assert state.details[HOLDER].keys() == {"tg_guard", "tg_recovery"}
        agents.send(agents.signers(agents.success_key()), opening())
        state = client.account_state(agents.card.key, handle, counter_token=None)
        assert decode_record(state.details[ESCROW][RecoverRecord.key(ID)], RecoverRecord).window

    def test_only_for_who_belongs_to_the_deposit(self, agents: Agents) -> None:
        client, handle, phone = agents.world.client(), agents.card.handle, generate_key()
        token = agents.counter_token(phone)
        assert client.account_state(phone, handle, counter_token=token).account == HOLDER
        other = agents.counter_token(phone, account=OTHER)
        for counter_token in (None, other):
            with pytest.raises(ServiceRefusedError, match="It takes the key of"):
                client.account_state(phone, handle, counter_token=counter_token)
        card, _ = agents.protect()
        with pytest.raises(ServiceRefusedError, match="No account is bound"):
            client.account_state(card.key, card.handle, counter_token=None)

    def test_a_wallets_view_of_it(self, agents: Agents) -> None:
        signers = agents.signers(agents.success_key())
        state = signers.guard_state(HOLDER)
        assert state.signatories == {PHONE.public_key}
        assert state.guard is not None
        assert (state.guard.escrow, state.is_enforced, state.recovery) == (ESCROW, True, None)
        agents.send(signers, opening())
        recovery = signers.guard_state(HOLDER).recovery
        assert recovery is not None
        assert (recovery.record_id, recovery.new_key) == (ID, NEW.public_key)
        with pytest.raises(TooFewAgentsError, match=f"for {HOLDER} only"):
            signers.guard_state(OTHER)

    def test_one_agent_that_lies_about_it_is_outvoted(self, agents: Agents) -> None:
        def lie(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
            if not path.endswith("/account-state"):
                return None
            return {**answer, "signatories": [THIEF.public_key], "details": {HOLDER: {"x": "y"}}}

        agents.world.http.tampering[agents.world.urls[0]] = lie
        signers = agents.signers(agents.success_key())
        assert signers.guard_state(HOLDER).signatories == {PHONE.public_key}
        agents.world.http.tampering[agents.world.urls[1]] = lie
        state = signers.guard_state(HOLDER)  # Two of them are as good as the key itself.
        assert (state.signatories, state.guard) == ({THIEF.public_key}, None)


class TestWhoMayAsk:
    @pytest.mark.parametrize("who", ["card", "owner", "stranger"])
    def test_not_without_the_password(self, agents: Agents, who: str) -> None:
        keys = {
            "card": agents.card.key,
            "owner": agents.protection.secret.owner_key,
            "stranger": generate_key(),
        }
        assert "It takes the key of the success" in agents.refusal(
            agents.signers(keys[who]), opening()
        )

    def test_not_by_a_card_of_ones_own(self, agents: Agents) -> None:
        """A thief with the phone protects it anew, under her own password."""
        card, protection = agents.protect()
        with pytest.raises(ServiceRefusedError, match="Another recovery card") as refused:
            agents.bind(card, protection)
        assert refused.value.code == "account_bound"
        signers = agents.signers(agents.success_key(card), handle=card.handle)
        assert "not bound to that account" in agents.refusal(signers, opening())

    def test_the_next_card_is_bound_when_the_first_is_withdrawn(self, agents: Agents) -> None:
        key = agents.success_key()
        for number in (1, 2, 3):
            agents.world.client(number).withdraw(key, agents.card.handle)
        agents.card, agents.protection = agents.protect()
        agents.bind(agents.card, agents.protection)
        agents.bind(agents.card, agents.protection)
        agents.send(agents.signers(agents.success_key()), opening())

    def test_an_account_is_bound_by_its_own_key(self, agents: Agents) -> None:
        card, protection = agents.protect(HolderBinding(account=OTHER))
        key = AccountKey.generate()
        with pytest.raises(ServiceRefusedError, match="no signatory of the account"):
            agents.bind(card, protection, account=OTHER, key=key)
        with pytest.raises(ServiceRefusedError, match="account binding"):
            agents.bind(card, protection, account=OTHER, signed=HOLDER)
        with pytest.raises(ServiceRefusedError, match="no signatory of the account"):
            agents.bind(card, protection, account="nobody@holder")
        with pytest.raises(ServiceRefusedError, match="names another account"):
            agents.bind(card, protection, account=HOLDER)
        with pytest.raises(ServiceRefusedError, match="key of the owner"):
            agents.world.client().bind_account(
                card.key,
                card.handle,
                account=HOLDER,
                public_key=PHONE.public_key,
                signature=sign_binding(PHONE, account=HOLDER, handle=card.handle),
            )


class TestCounter:
    """The password is forgotten: the issuer saw the holder, and approved on the ledger."""

    @pytest.fixture
    def phone(self) -> Key:
        return generate_key()

    def test_its_word_and_its_approval_open_a_recovery(self, agents: Agents, phone: Key) -> None:
        signers = agents.signers(phone, counter_token=agents.counter_token(phone))
        assert "has not approved exactly this" in agents.refusal(signers, opening())
        assert agents.account.approve_recovery(ID, THIEF) == 0
        assert "has not approved exactly this" in agents.refusal(signers, opening())
        other = "2" * 32
        assert agents.account.approve_recovery(other) == 0
        agents.send(signers, opening(record_id=other))
        assert agents.account.status.firm

    def test_a_token_that_does_not_fit(self, agents: Agents, phone: Key) -> None:
        assert agents.account.approve_recovery(ID) == 0
        for changes, reason in (
            ({"account": OTHER}, "for another account"),
            ({"key": "x"}, "given to another phone"),
            ({"issuer": "x@issuer"}, "nobody whom this service trusts"),
        ):
            token = agents.counter_token(phone, **changes)
            assert reason in agents.refusal(agents.signers(phone, counter_token=token), opening())


def more_commands() -> list[Command]:
    return [opening(), opening(record_id="2" * 32)]


def other_record() -> list[Command]:
    return [set_account_detail(HOLDER, "note", "x")]


def with_times() -> list[Command]:
    detail = set_account_detail(HOLDER, RecoverRecord.key(ID), "e30")
    return [detail]


def other_account_in_one() -> list[Command]:
    return [add_signatory(HOLDER, NEW.public_key), remove_signatory(OTHER, PHONE.public_key)]


def order() -> list[Command]:
    return ending()[::-1]


def only_the_new_key() -> list[Command]:
    return [add_signatory(HOLDER, NEW.public_key)]


def another_command() -> list[Command]:
    return [create_account("x@holder", NEW.public_key)]


def no_key() -> list[Command]:
    record = RecoverRecord(new_key="ab", lost_key=PHONE.public_key)
    return [set_record(HOLDER, ID, record)]


def nothing() -> list[Command]:
    return []


class TestWhatIsSigned:
    @pytest.fixture
    def signers(self, agents: Agents) -> SigningAgents:
        return agents.signers(agents.success_key())

    @pytest.mark.parametrize(
        "commands",
        [
            more_commands,
            other_record,
            with_times,
            other_account_in_one,
            order,
            only_the_new_key,
            another_command,
            no_key,
            nothing,
        ],
    )
    def test_nothing_but_a_recovery(
        self, agents: Agents, signers: SigningAgents, commands: Callable[[], list[Command]]
    ) -> None:
        assert "does not sign that" in agents.refusal(signers, *commands())

    @pytest.mark.parametrize("change", ["quorum", "creator", "batch", "unknown", "upper"])
    def test_nothing_beside_it(self, agents: Agents, signers: SigningAgents, change: str) -> None:
        transaction = agents.build(opening())
        reduced = transaction.payload.reduced_payload
        if change == "quorum":
            reduced.quorum = 2
        elif change == "creator":
            reduced.creator_account_id = OTHER
        elif change == "batch":
            transaction.payload.batch.reduced_hashes.append("ab")
        elif change == "unknown":
            reduced.MergeFromString(b"\x98\x06\x01")
        else:
            del reduced.commands[:]
            reduced.commands.extend(ending())
            reduced.commands[0].add_signatory.public_key = NEW.public_key.upper()
        with pytest.raises(NotEnoughSignersError, match="does not sign that"):
            signers.sign_transaction(transaction)

    def test_bytes_that_are_no_transaction(self, agents: Agents) -> None:
        key = agents.success_key()
        for payload in (b"\xff", b"digest" * 5, bytes(32), b""):
            with pytest.raises(ServiceRefusedError, match="does not sign that"):
                agents.world.client().begin_signature(
                    key, agents.card.handle, payload=payload, counter_token=None
                )

    @pytest.mark.parametrize("difference_ms", [-300_001, 300_001])
    def test_nothing_of_another_time(
        self, agents: Agents, signers: SigningAgents, difference_ms: int
    ) -> None:
        created = agents.world.clock() + difference_ms
        assert "not made now" in agents.refusal(signers, opening(), created_ms=created)

    def test_no_key_that_is_not_the_accounts(self, agents: Agents, signers: SigningAgents) -> None:
        assert "replaces a key of the account" in agents.refusal(signers, opening(lost=THIEF))
        assert "replaces a key of the account" in agents.refusal(signers, opening(new=PHONE))

    def test_no_account_whose_guard_names_others(
        self, agents: Agents, signers: SigningAgents
    ) -> None:
        assert "no guard of the account" in agents.refusal(signers, opening(account=OTHER))
        assert "no guard of the account" in agents.refusal(
            signers, opening(account="nobody@holder")
        )

    def test_no_other_keys_than_the_record_names(
        self, agents: Agents, signers: SigningAgents
    ) -> None:
        assert "no recovery of this account" in agents.refusal(signers, *ending())
        agents.send(signers, opening())
        agents.wait(DELAY_MS)
        for other in (ending(new=THIEF), ending(lost=THIEF)):
            assert "names other keys" in agents.refusal(signers, *other)

    def test_no_recovery_that_is_over(self, agents: Agents, signers: SigningAgents) -> None:
        agents.send(signers, opening())
        assert agents.account.veto(ID) == 0
        agents.wait(DELAY_MS)
        assert "vetoed, finished or has lapsed" in agents.refusal(signers, *ending())
        agents.send(signers, opening(record_id="2" * 32))
        agents.wait(DELAY_MS + FINISH_WITHIN_MS)
        assert "vetoed, finished or has lapsed" in agents.refusal(signers, *ending())

    def test_the_agents_own_clock_decides_too(self, agents: Agents, signers: SigningAgents) -> None:
        """Who orders blocks alone moves the ledger's time ahead. The agents do not follow."""
        agents.send(signers, opening())
        agents.account.mature()
        agents.account.submit(OTHER, set_account_detail(OTHER, "a", "1"))
        assert (
            agents.account.last_block_ms
            >= agents.account.record(RecoverRecord, ID, ESCROW).window.matures_at_ms
        )  # type: ignore[union-attr]
        created = agents.world.clock()
        assert "may be carried out from" in agents.refusal(signers, *ending(), created_ms=created)


class TestFailures:
    def test_one_agent_down_or_refusing_or_lying(self, agents: Agents) -> None:
        key = agents.success_key()
        urls = agents.world.urls

        def lie(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
            if not path.endswith("/signature-shares"):
                return None
            return {**answer, "value": encode_base64url(bytes([7]) + bytes(31))}

        agents.world.http.tampering[urls[0]] = lie
        signers = agents.signers(key)
        agents.send(signers, opening())
        assert [fault.identifier for fault in signers.left_out] == [1]
        assert "wrong" in signers.left_out[0].reason
        agents.wait(DELAY_MS)
        del agents.world.http.tampering[urls[0]]
        agents.world.http.down.add(urls[1])
        agents.send(signers, *ending())
        assert signers.left_out == ()  # It was not asked: it told no key.

    def test_two_agents_down(self, agents: Agents) -> None:
        signers = agents.signers(agents.success_key())
        agents.world.http.down.update(agents.world.urls[:2])
        with pytest.raises(TooFewAgentsError, match=r"agent1.*agent2.*cannot be reached"):
            agents.send(signers, opening())
        agents.world.http.down.add(agents.world.urls[2])
        with pytest.raises(TooFewAgentsError, match="cannot be reached"):
            agents.send(signers, opening())

    def test_an_agent_that_tells_another_key(self, agents: Agents) -> None:
        other = deal(2, 3)[1].group.to_fields()

        def lie(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
            return {**answer, "group": other} if path == "/group-key" else None

        agents.world.http.tampering[agents.world.urls[0]] = lie
        signers = agents.signers(agents.success_key())
        agents.send(signers, opening())
        assert signers.left_out == ()

        def lie_otherwise(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
            return {**answer, "escrow_account": OTHER} if path == "/group-key" else None

        agents.world.http.tampering[agents.world.urls[1]] = lie_otherwise
        with pytest.raises(TooFewAgentsError, match="contradict each other"):
            agents.send(signers, opening())

    def test_a_session_is_answered_once(self, agents: Agents) -> None:
        key, client = agents.success_key(), agents.world.client()
        payload = agents.build(opening()).payload.SerializeToString()
        handle = agents.card.handle
        session, commitment = client.begin_signature(
            key, handle, payload=payload, counter_token=None
        )
        own = commit(agents.shares[2])
        package = SigningPackage(payload=payload, commitments=(commitment, own.commitment))
        assert client.sign(key, handle, session=session, package=package, counter_token=None)
        with pytest.raises(ServiceRefusedError, match="no session is answered twice"):
            client.sign(key, handle, session=session, package=package, counter_token=None)

    def test_a_ledger_that_cannot_be_reached(self, agents: Agents) -> None:
        signers = agents.signers(agents.success_key())
        agents.ledger.reachable = False
        assert "The ledger cannot be asked now" in agents.refusal(signers, opening())

    def test_an_agent_without_a_share_has_no_such_address(self, tmp_path: Path) -> None:
        world = EscrowWorld(tmp_path, count=1)
        with pytest.raises(ClientError):
            world.client().group_key()
        world.close()


def test_what_the_ledger_refuses_the_agents_cannot_force(agents: Agents) -> None:
    signers = agents.signers(agents.success_key())
    agents.send(signers, opening())
    with pytest.raises(TransactionFailedError):
        agents.send(signers, opening(record_id="2" * 32))
    assert code_of(agents.ledger.submit(OTHER, set_account_detail(OTHER, "a", "1"))) == 0


def test_a_stranger_who_names_the_account_is_not_found_in_its_holders_place(
    agents: Agents,
) -> None:
    agents.world.clock.advance(seconds=1)
    stranger, _ = agents.protect()
    phone = generate_key()
    (found,) = agents.world.client().find(phone, agents.counter_token(phone))
    assert found.handle == agents.card.handle != stranger.handle


def test_a_request_without_proof(agents: Agents) -> None:
    http = agents.world.agents[0].app.test_client()
    answer = http.post(f"/deposits/{agents.card.handle}/signing-sessions", json={"payload": ""})
    assert answer.status_code == 401
    payload = {"payload": "*", "counter_token": None}
    path = f"/deposits/{agents.card.handle}/signing-sessions"
    with pytest.raises((ServiceRefusedError, TransportError), match="payload"):
        agents.world.client()._send(generate_key(), "POST", path, payload)
