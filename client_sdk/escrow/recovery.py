"""Getting a backup back on a new phone: any t agents are enough, and one that lies is named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, thumbprint
from client_sdk.errors import (
    EscrowFormatError,
    TooFewAgentsError,
    WrongPasswordError,
)
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.backup import (
    RecoveryKeys,
    WalletSecret,
    derive_keys,
    open_backup,
    oprf_input,
)
from client_sdk.escrow.deposit_search import (
    FoundDeposit,
    Pinned,
    choose_deposit,
    find_deposit,
    index_of,
)
from client_sdk.escrow.deposit_statement import DepositStatement
from client_sdk.escrow.evaluation_request import RECOVERY_PURPOSE, evaluation_hash
from client_sdk.escrow.evaluations import Evaluations, Patience
from client_sdk.escrow.findings import AgentFinding, Findings
from client_sdk.escrow.paper_backup import PaperShare, join_shares
from client_sdk.escrow.protection import Protection
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.escrow.recovery_secret import RecoverySecret
from client_sdk.face.client import NewTest
from client_sdk.face.portrait import PortraitOpening
from client_sdk.http.client import HttpClient
from client_sdk.threshold_oprf import blind, combine
from client_sdk.tracing import traced


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryFaceTest:
    """The face test that agents ask for.

    Attributes:
        audience: The id of the agent set.
        account: The account that the deposit names.
        request_hash: This one recovery.
        portrait_commitment: The portrait that was registered with the deposit.
    """

    audience: str
    account: str
    request_hash: str
    portrait_commitment: str

    def with_portrait(self, portrait: PortraitOpening) -> NewTest:
        """Return the test, as a face service takes it.

        Raises:
            EscrowFormatError: It is not the registered portrait.
        """
        if portrait.commitment != self.portrait_commitment:
            raise EscrowFormatError("the portrait is not the one that was registered")
        return NewTest(
            audience=self.audience,
            purpose=RECOVERY_PURPOSE,
            account=self.account,
            portrait=portrait,
            request_hash=self.request_hash,
        )


FaceTest: TypeAlias = Callable[[RecoveryFaceTest], str]
"""Has the holder's face tested, and returns the attestation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterHelp:
    """What an issuer's counter gave, for a lost card or used-up attempts.

    Attributes:
        token: The counter's token, good for one attempt at each agent.
        key: The private key that it names.
    """

    token: str = field(repr=False)
    key: Key = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredBackup:
    """What came back.

    Attributes:
        contents: The newest contents that the agents have.
        version: Their version.
        protection: What the new wallet keeps, to go on with the same agents and card.
        success_key: What only the right password gives: the agents recover the account for it.
            None where the backup came back without the password. Nobody keeps it.
        findings: The agents that did not do their part; one that lied is among them.
    """

    contents: JsonObject = field(repr=False)
    version: int
    protection: Protection
    findings: tuple[AgentFinding, ...]
    success_key: Key | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """How evaluations are asked for: with whose key, and with which words of others."""

    key: Key = field(repr=False)
    counter: CounterHelp | None
    face_test: FaceTest | None
    patience: Patience | None = None


@traced("escrow.recover")
def recover(
    card: RecoveryCard,
    secret: RecoverySecret,
    *,
    http: HttpClient,
    face_test: FaceTest | None = None,
    counter: CounterHelp | None = None,
    version: int | None = None,
    patience: Patience | None = None,
) -> RecoveredBackup:
    """Get a backup back with card and password.

    Args:
        card: The recovery card.
        secret: The password, or the passkey's secret.
        http: How agents are reached.
        face_test: Has the holder's face tested, where agents ask for it.
        counter: The word of an issuer's counter, where the attempts without help are used up.
        version: An older version that is wanted; by default the newest.
        patience: Waits for agents that go away meanwhile, so that neither attempt nor face test is
            lost; by default nobody waits. It is not asked where a counter helps.

    Raises:
        WrongPasswordError: The password is wrong; it says how many attempts are left.
        TooFewAgentsError: Fewer agents than needed did their part; it names each, and why.
    """
    findings = Findings()
    deposit = choose_deposit(card, card.key, http=http, findings=findings)
    asking = _Asking(
        key=card.key if counter is None else counter.key,
        counter=counter,
        face_test=face_test,
        patience=patience if counter is None else None,
    )
    return _recover(deposit, secret, card, asking, http=http, findings=findings, version=version)


@traced("escrow.recover_at_counter")
def recover_at_counter(
    urls: Sequence[str],
    secret: RecoverySecret,
    counter: CounterHelp,
    *,
    http: HttpClient,
    face_test: FaceTest | None = None,
    version: int | None = None,
) -> RecoveredBackup:
    """Get a backup back without the card, with the password and the word of an issuer's counter.

    Without the card's signature it counts what a threshold of agents says alike. Agents that lie
    together learn nothing from it: they see blinded elements, and never whether a guess was right.

    Args:
        urls: The agents, in any order.
        secret: The password, or the passkey's secret.
        counter: The word of the issuer's counter.
        http: How agents are reached.
        face_test: Has the holder's face tested, where agents ask for it.
        version: An older version that is wanted; by default the newest.

    Raises:
        WrongPasswordError: The password is wrong; it says how many attempts are left.
        TooFewAgentsError: Fewer agents than needed did their part; it names each, and why.
    """
    findings = Findings()
    deposit, found = find_deposit(urls, counter.key, counter.token, http=http, findings=findings)
    asking = _Asking(key=counter.key, counter=counter, face_test=face_test)
    return _recover(deposit, secret, found, asking, http=http, findings=findings, version=version)


@traced("escrow.recover_from_paper")
def recover_from_paper(
    sheets: Sequence[PaperShare], *, http: HttpClient, version: int | None = None
) -> RecoveredBackup:
    """Get a backup back with enough sheets of a paper backup, without card and password.

    Raises:
        EscrowFormatError: The sheets do not give the secret, or belong to an earlier protection.
        TooFewAgentsError: Fewer agents than needed did their part; it names each, and why.
    """
    secret, findings = join_shares(sheets), Findings()
    deposit = choose_deposit(sheets[0], secret.owner_key, http=http, findings=findings)
    protection = _protection(sheets[0], deposit.terms, secret)
    return fetch_backup(protection, http=http, findings=findings, version=version)


def fetch_backup(
    protection: Protection,
    *,
    http: HttpClient,
    findings: Findings | None = None,
    version: int | None = None,
) -> RecoveredBackup:
    """Read and open the backups of the agents, and take the newest of a threshold of them.

    Raises:
        TooFewAgentsError: Fewer agents than needed gave a backup that opens.
    """
    findings = findings or Findings()
    newest: dict[str, int] = {}
    contents: dict[int, JsonObject] = {}
    for url in protection.urls:
        opened = findings.ask(AgentClient(url, http), lambda agent: _read(agent, protection))
        if opened:
            newest[url] = max(opened)
            contents |= opened
    findings.require(list(newest), needed=protection.agents.threshold, what="reading the backup")
    latest = max(newest.values())
    for url, found in newest.items():
        if found < latest:
            findings.add(url, "outdated", f"it gave version {found}; others have {latest}")
    wanted = latest if version is None else version
    if wanted not in contents:
        raise EscrowFormatError(
            f"no agent has version {wanted}; there is {', '.join(map(str, sorted(contents)))}"
        )
    return RecoveredBackup(
        contents=contents[wanted],
        version=wanted,
        protection=replace(protection, version=latest, acknowledged=newest),
        findings=findings.all,
    )


def _recover(
    deposit: FoundDeposit,
    secret: RecoverySecret,
    pinned: Pinned,
    asking: _Asking,
    *,
    http: HttpClient,
    findings: Findings,
    version: int | None,
) -> RecoveredBackup:
    terms = deposit.terms
    keys = _open_with_password(deposit, secret, pinned, asking, findings=findings)
    for agent in deposit.agents:
        findings.ask(
            agent, lambda asked: asked.confirm(keys.success_key, terms.handle, epoch=terms.epoch)
        )
    protection = _protection(pinned, terms, keys.wallet_secret)
    while True:
        try:
            backup = fetch_backup(protection, http=http, findings=findings, version=version)
        except TooFewAgentsError as error:
            if asking.patience is None or not error.may_pass:
                raise
            asking.patience(error)
            findings.forget_unreachable()
        else:
            return replace(backup, success_key=keys.success_key)


def _protection(pinned: Pinned, terms: DepositStatement, secret: WalletSecret) -> Protection:
    return Protection(
        handle=pinned.handle,
        urls=pinned.urls,
        agents=terms.agents,
        epoch=terms.epoch,
        version=0,
        secret=secret,
    )


def _read(agent: AgentClient, protection: Protection) -> dict[int, JsonObject]:
    backups = agent.backups(protection.secret.owner_key, protection.handle, epoch=protection.epoch)
    return {
        backup.version: open_backup(
            backup.sealed, secret=protection.secret, place=protection.place(backup.version)
        )
        for backup in backups
    }


def _open_with_password(
    deposit: FoundDeposit,
    secret: RecoverySecret,
    pinned: Pinned,
    asking: _Asking,
    *,
    findings: Findings,
) -> RecoveryKeys:
    """Ask agents until a threshold of them evaluated rightly; derive the keys and compare them.

    No agent is asked that is not needed: each answer is one attempt there.
    """
    terms = deposit.terms
    private_input = oprf_input(handle=terms.handle, agent_set=terms.agents.id, secret=secret)
    blinded = blind(private_input)
    attestation = None
    if asking.face_test is not None:
        if terms.account is None or terms.portrait_commitment is None:
            raise EscrowFormatError("the wallet was protected without account and portrait")
        attestation = asking.face_test(
            RecoveryFaceTest(
                audience=terms.agents.id,
                account=terms.account,
                request_hash=evaluation_hash(
                    handle=terms.handle, epoch=terms.epoch, blinded_element=blinded.element
                ),
                portrait_commitment=terms.portrait_commitment,
            )
        )

    guess = Evaluations(
        terms,
        blinded,
        key=asking.key,
        counter_token=None if asking.counter is None else asking.counter.token,
        face_attestation=attestation,
        index_of=lambda agent: index_of(agent, pinned),
        attempts_left=deposit.attempts_left,
    )
    answers = guess.gather(deposit.agents, findings=findings, patience=asking.patience)
    output = combine(blinded, [evaluation for evaluation, _ in answers], terms.commitments)
    keys = derive_keys(output.value, handle=terms.handle, agent_set=terms.agents.id, kdf=terms.kdf)
    if thumbprint(keys.success_key) != terms.success_key:
        left = min(left for _, left in answers)
        raise WrongPasswordError(
            f"the password is not the one that this wallet was protected with; {left} attempts "
            "are left",
            attempts_left=left,
        )
    return keys
