"""What a wallet gives to its escrow agents, and what it is made of again afterwards."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from client_sdk.credentials.sd_jwt_vc import parse_credential
from client_sdk.errors import NotProtectedError
from client_sdk.escrow.findings import AgentFinding
from client_sdk.escrow.protection import HolderBinding, Protection, protect, update_backup
from client_sdk.escrow.recovery import RecoveredBackup
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.escrow.recovery_secret import RecoverySecret
from client_sdk.http_client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.vault import KdfProfile, Vault
from client_sdk.wallet_records import WalletContents

_LONG_VALUE: Final = 100


def protection_of(contents: WalletContents) -> Protection:
    """Return how a wallet is protected.

    Raises:
        NotProtectedError: It is not.
    """
    if contents.protection is None:
        raise NotProtectedError("the wallet is not protected yet; protect it with agents first")
    return contents.protection


def protect_wallet(
    contents: WalletContents,
    agents: Sequence[str],
    password: RecoverySecret,
    *,
    threshold: int | None,
    card: RecoveryCard | None,
    portrait_commitment: str | None,
    profile: KdfProfile,
    http: HttpClient,
    now_ms: Callable[[], int],
) -> tuple[RecoveryCard, Protection]:
    """Leave a backup with agents, bound to the wallet's account; see `Wallet.protect`."""
    account = contents.account
    return protect(
        contents.to_backup(),
        agents,
        password,
        threshold=threshold or len(agents) // 2 + 1,
        http=http,
        now_ms=now_ms,
        binding=HolderBinding(
            account=None if account is None else account.account_id,
            approving_issuer=None if account is None else account.registered_by,
            portrait_commitment=portrait_commitment,
        ),
        replacing=None if card is None else (card, protection_of(contents)),
        kdf=profile,
        known_words=_known_words(contents),
    )


def back_up_wallet(
    contents: WalletContents, *, http: HttpClient
) -> tuple[Protection, tuple[AgentFinding, ...]]:
    """Leave what a wallet holds now with its agents; see `Wallet.back_up`."""
    return update_backup(protection_of(contents), contents.to_backup(), http=http)


def restore_vault(
    path: Path, passphrase: str, recovered: RecoveredBackup, *, profile: KdfProfile
) -> Vault:
    """Make the file of a new wallet, with a new key, from a backup; see `Wallet.recover`."""
    contents = WalletContents.from_backup(
        recovered.contents, seed=AccountKey.generate().seed, protection=recovered.protection
    )
    return Vault.create(path, passphrase, contents.to_fields(), profile=profile)


def _known_words(contents: WalletContents) -> list[str]:
    """Return what others know of the holder: no password may be made of it alone."""
    claims = (
        parse_credential(credential.sd_jwt).unverified_claims
        for credential in contents.credentials.values()
    )
    values = (value for held in claims for value in held.values())
    return [value for value in values if isinstance(value, str) and len(value) < _LONG_VALUE]
