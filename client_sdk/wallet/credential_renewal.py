"""After a recovery: the wallet's credentials, issued anew to the account's new key."""

from collections.abc import Iterable
from dataclasses import dataclass

from chaincode.encoding import decode_base64url
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.credentials.jose import export_public_jwk
from client_sdk.errors import ClientError, TransportError
from client_sdk.openid4vci.renewal import renew_credential
from client_sdk.wallet.acceptance import check_received
from client_sdk.wallet.records import StoredCredential
from client_sdk.wallet.session import WalletSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What became of one credential.

    Attributes:
        replaced: The record id of the old credential.
        credential: The new one; None where there is none yet.
        problem: Why there is none; empty where there is.
        may_pass: Whether its issuer can only not be reached now.
    """

    replaced: str
    credential: StoredCredential | None
    problem: str = ""
    may_pass: bool = False


def renew_credentials(session: WalletSession) -> tuple[Renewal, ...]:
    """Have every credential that is bound to another key than the wallet's issued anew.

    One that cannot be had now is kept as it is; ask again later. One-time credentials have keys of
    their own, which no recovery replaces.

    Raises:
        NotRegisteredError: The wallet has no account.
    """
    account, holder_key, provider = session.account, session.holder_key, session.provider
    renewals = []
    for old in session.contents.credentials.values():
        if old.is_one_time:
            continue
        held = old.read()
        if held.holder_key == export_public_jwk(holder_key):
            continue
        try:
            received = renew_credential(
                old.text,
                issuer_url=old.issuer_url or held.issuer or account.issuer_url,
                credential_type=old.credential_type,
                credential_format=old.format,
                holder_key=holder_key,
                account=account.account_id,
                proofs=session.new_proofs(),
                attest_keys=None if provider is None else provider.attest_keys,
                now_ms=session.now_ms(),
                http=session.http,
            )
            # The issuer that the holder took the old one from, and no other.
            new = check_received(received, account=account, trusted_issuer=old.issuer)
        except ClientError as error:
            renewals.append(
                Renewal(
                    replaced=old.record_id,
                    credential=None,
                    problem=str(error),
                    may_pass=isinstance(error, TransportError),
                )
            )
            continue
        _replace(session, new, old.record_id)
        renewals.append(Renewal(replaced=old.record_id, credential=new))
    return tuple(renewals)


def bound_keys(credentials: Iterable[StoredCredential]) -> frozenset[str]:
    """Return the signatories that credentials are bound to: where the phone was lost, its keys."""
    keys = set()
    for credential in credentials:
        if credential.is_one_time:
            continue
        match credential.read().holder_key:
            case {"crv": "Ed25519", "x": str() as x}:
                keys.add(PublicKey(KeyAlgorithm.ED25519_SHA2, decode_base64url(x)).encode())
    return frozenset(keys)


def _replace(session: WalletSession, new: StoredCredential, replaced: str) -> None:
    session.update(lambda contents: contents.with_replacement(new, replaced=replaced))
