"""Protecting a wallet: the wallet deals an OPRF key to the agents, and keeps none of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from chaincode.encoding import JsonObject, JsonValue, encode_base64url
from client_sdk.credentials.jose import thumbprint
from client_sdk.errors import (
    ClientError,
    EscrowError,
    EscrowFormatError,
    RequestError,
    TooFewAgentsError,
    TransportError,
    VaultFormatError,
)
from client_sdk.escrow.agent_client import (
    AgentClient,
    AgentDescription,
    AgentStatus,
    SealedBackup,
)
from client_sdk.escrow.agent_set import AgentSet, agent_set
from client_sdk.escrow.backup import (
    BackupPlace,
    WalletSecret,
    derive_keys,
    oprf_input,
    seal_backup,
)
from client_sdk.escrow.deposit_statement import DepositStatement
from client_sdk.escrow.findings import AgentFinding, Findings
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.escrow.recovery_secret import RecoverySecret, validate_strength
from client_sdk.http.client import HttpClient
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.sealing.vault import SENSITIVE, KdfProfile
from client_sdk.strict_json import JsonFields
from client_sdk.threshold_oprf import share_key
from client_sdk.threshold_oprf.ristretto255 import random_scalar
from client_sdk.threshold_oprf.voprf import evaluate_unblinded

_WHAT: Final = "the wallet's protection"
_FIRST_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderBinding:
    """What a deposit says of its holder; all of it may stay out.

    Attributes:
        account: The holder's ledger account.
        approving_issuer: The issuer whose counter may vouch for the holder.
        portrait_commitment: The portrait that face tests are compared with.
    """

    account: str | None = None
    approving_issuer: str | None = None
    portrait_commitment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What a protected wallet keeps, to update, read and withdraw its backup.

    Attributes:
        handle: The recovery card's name.
        urls: Where the agents are reached, in the order of their indices.
        agents: The agents.
        epoch: The deposit's epoch.
        version: The version that was last sent.
        secret: Seals the backup, and signs for it.
        acknowledged: The version that each agent is known to have, by its address.
        log_heads: The end of each agent's log as it last signed it, by its address.
        read_heads: The same up to where the holder has read the log, or where it began: an agent
            that changed it could sign a new end at the next backup.
    """

    handle: str
    urls: tuple[str, ...]
    agents: AgentSet
    epoch: int
    version: int
    secret: WalletSecret = field(repr=False)
    acknowledged: dict[str, int] = field(default_factory=dict)
    log_heads: dict[str, str] = field(default_factory=dict)
    read_heads: dict[str, str] = field(default_factory=dict)

    @property
    def lagging(self) -> tuple[str, ...]:
        """The agents that are not known to have the newest backup."""
        return tuple(url for url in self.urls if self.acknowledged.get(url) != self.version)

    def place(self, version: int) -> BackupPlace:
        """Return what a version of the backup is bound to."""
        return BackupPlace(
            handle=self.handle, agent_set=self.agents.id, epoch=self.epoch, version=version
        )

    def with_status(self, url: str, status: AgentStatus) -> Self:
        """Return the protection with what an agent said after it took a backup."""
        return replace(
            self,
            acknowledged={**self.acknowledged, url: self.version},
            log_heads={**self.log_heads, url: status.log_head},
            read_heads={url: status.log_head, **self.read_heads},
        )

    def to_fields(self) -> JsonObject:
        """Return the protection as a JSON object, for sealed storage."""
        acknowledged: dict[str, JsonValue] = dict(self.acknowledged)
        log_heads: dict[str, JsonValue] = dict(self.log_heads)
        read_heads: dict[str, JsonValue] = dict(self.read_heads)
        return {
            "handle": self.handle,
            "urls": list(self.urls),
            "threshold": self.agents.threshold,
            "agent_keys": list(self.agents.keys),
            "epoch": self.epoch,
            "version": self.version,
            "secret": encode_base64url(self.secret.value),
            "acknowledged": acknowledged,
            "log_heads": log_heads,
            "read_heads": read_heads,
        }

    @classmethod
    def from_fields(cls, value: JsonValue) -> Self:
        """Return the protection that a JSON object stands for.

        Raises:
            VaultFormatError: Something is missing or of the wrong kind.
        """
        fields = JsonFields(value, what=_WHAT, error=VaultFormatError)
        try:
            agents = agent_set(fields.whole("threshold"), fields.texts("agent_keys"))
        except EscrowFormatError as error:
            raise VaultFormatError(f"{_WHAT}: {error}") from None
        acknowledged, log_heads = fields.member("acknowledged"), fields.member("log_heads")
        # Wallets of before have none.
        read_heads = fields.member("read_heads") if "read_heads" in fields.names else log_heads
        return cls(
            handle=fields.text("handle"),
            urls=fields.texts("urls"),
            agents=agents,
            epoch=fields.whole("epoch"),
            version=fields.whole("version"),
            secret=WalletSecret(value=fields.data("secret")),
            acknowledged={name: acknowledged.whole(name) for name in acknowledged.names},
            log_heads={name: log_heads.text(name) for name in log_heads.names},
            read_heads={name: read_heads.text(name) for name in read_heads.names},
        )


def protect(
    contents: JsonObject,
    urls: Sequence[str],
    secret: RecoverySecret,
    *,
    threshold: int,
    http: HttpClient,
    now_ms: Callable[[], int],
    binding: HolderBinding = HolderBinding(),
    replacing: tuple[RecoveryCard, Protection] | None = None,
    kdf: KdfProfile = SENSITIVE,
    known_words: Sequence[str] = (),
) -> tuple[RecoveryCard, Protection]:
    """Deal a new OPRF key to the agents, and leave the sealed contents with each.

    Args:
        contents: What is to come back on a new phone.
        urls: The agents.
        secret: What will open it.
        threshold: How many agents are needed to open it.
        http: How agents are reached.
        now_ms: The clock: milliseconds since 1970, UTC.
        binding: What the deposit says of its holder.
        replacing: The card and protection that stay in use with a new password, at the same agents.
        kdf: What one guess costs beyond the agents' evaluations.
        known_words: What others know of the holder; as a password it counts as guessed.

    Raises:
        WeakPasswordError: The password is too easily guessed.
        EscrowFormatError: An address is none of https, two are of one agent, or the threshold does
            not fit.
        EscrowError: An agent did not take its part, or wants to see faces that nothing says; it is
            named, and nothing has changed.
        TooFewAgentsError: The same, where it cannot be reached; or all agents took their parts, and
            then none could be reached.
    """
    validate_strength(secret, known_words=known_words)
    clients = [AgentClient(_address(url), http) for url in urls]
    described = [_describe(client) for client in clients]
    _check_faces(described, binding)
    agents = agent_set(threshold, [agent.key for agent in described])
    epoch = now_ms()
    if replacing is None:
        card = RecoveryCard.draw(agent_set=agents.id, urls=tuple(item.url for item in clients))
        deposit_key = card.key
    else:
        card, previous = replacing
        epoch = max(epoch, previous.epoch + 1)
        if agents.id != card.agent_set or previous.handle != card.handle:
            raise EscrowFormatError("the recovery card is of other agents, or another wallet's")
        deposit_key = previous.secret.owner_key

    key = random_scalar()
    shared = share_key(key, threshold=threshold, parties=len(clients))
    private_input = oprf_input(handle=card.handle, agent_set=agents.id, secret=secret)
    rwd = evaluate_unblinded(key, private_input)
    del key
    keys = derive_keys(rwd, handle=card.handle, agent_set=agents.id, kdf=kdf)
    statement = DepositStatement(
        handle=card.handle,
        epoch=epoch,
        agents=agents,
        commitments=shared.commitments,
        kdf=kdf,
        owner_key=thumbprint(keys.wallet_secret.owner_key),
        success_key=thumbprint(keys.success_key),
        account=binding.account,
        approving_issuer=binding.approving_issuer,
        portrait_commitment=binding.portrait_commitment,
    )
    protection = Protection(
        handle=card.handle,
        urls=card.urls,
        agents=agents,
        epoch=statement.epoch,
        version=_FIRST_VERSION,
        secret=keys.wallet_secret,
    )
    sealed = seal_backup(
        contents, secret=keys.wallet_secret, place=protection.place(_FIRST_VERSION)
    )
    backup = SealedBackup(version=_FIRST_VERSION, sealed=sealed)
    token = statement.sign(card.key)
    for client, share in zip(clients, shared.shares, strict=True):
        try:
            client.deposit(
                deposit_key, card.handle, statement=token, share=share.secret, backup=backup
            )
        except ClientError as error:
            raise _left_out(
                f"{client.url} did not take its part: {error}. Nothing has changed; try again, or "
                "with other agents",
                error,
            ) from None
    # Only now is a deposit of before given up, at each agent. From the first confirmation on the
    # new one holds: an agent that cannot be reached any more is confirmed at the next recovery.
    findings = Findings()
    for client in clients:
        status = findings.ask(
            client, lambda a: a.confirm(keys.success_key, card.handle, epoch=statement.epoch)
        )
        if status is not None:
            protection = protection.with_status(client.url, status)
    findings.require(list(protection.acknowledged), needed=1, what="confirming the deposit")
    return card, protection


def update_backup(
    protection: Protection, contents: JsonObject, *, http: HttpClient
) -> tuple[Protection, tuple[AgentFinding, ...]]:
    """Leave newer contents with each agent.

    Returns:
        The protection to keep, whose `lagging` names the agents that did not take it, and why.
    """
    # A version is used once, whatever becomes of it: an agent may have it though no answer came.
    version = protection.version + 1
    protection = replace(protection, version=version)
    sealed = seal_backup(contents, secret=protection.secret, place=protection.place(version))
    backup, findings = SealedBackup(version=version, sealed=sealed), Findings()
    owner_key, handle, epoch = protection.secret.owner_key, protection.handle, protection.epoch
    for url in protection.urls:
        status = findings.ask(
            AgentClient(url, http),
            lambda agent: agent.store_backup(owner_key, handle, epoch=epoch, backup=backup),
        )
        if status is not None:
            protection = protection.with_status(url, status)
    return protection, findings.all


def withdraw(protection: Protection, *, http: HttpClient) -> tuple[AgentFinding, ...]:
    """Ask each agent to delete what it keeps, which it does after its delay.

    Returns:
        The agents that did not take it, and why.
    """
    findings, owner_key = Findings(), protection.secret.owner_key
    for url in protection.urls:
        findings.ask(
            AgentClient(url, http), lambda agent: agent.withdraw(owner_key, protection.handle)
        )
    return findings.all


def _address(url: str) -> str:
    try:
        return parse_endpoint(url, "agent")
    except RequestError as error:
        raise EscrowFormatError(str(error)) from None


def _describe(client: AgentClient) -> AgentDescription:
    try:
        return client.describe()
    except ClientError as error:
        raise _left_out(f"{client.url}: {error}", error) from None


def _check_faces(agents: Sequence[AgentDescription], binding: HolderBinding) -> None:
    """Refuse a protection from which nothing could be recovered: no face would pass."""
    if binding.account is not None and binding.portrait_commitment is not None:
        return
    for agent in agents:
        if agent.face_required:
            raise EscrowError(
                f"{agent.name} wants to see the holder's face at a recovery: protect with a "
                "portrait, once the wallet has an account"
            )


def _left_out(text: str, error: ClientError) -> EscrowError:
    if isinstance(error, TransportError):
        return TooFewAgentsError(text, may_pass=True)
    return EscrowError(text)
