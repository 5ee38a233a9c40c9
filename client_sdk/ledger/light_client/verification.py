"""Whether a header is one that the chain's validators decided (CometBFT's light client).

Sources: `spec/light-client/verification/verification_002_draft.md` of CometBFT, and its package
`light`. One rule is stricter: every vote in a commit must be well signed, also those that are not
needed for the decision, so that no bit of what is shown can be another one.
"""

from fractions import Fraction
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from client_sdk.errors import LightBlockError, StaleProofError, TrustExpiredError
from client_sdk.ledger.light_client.light_block import (
    NS_PER_S,
    Commit,
    CommitSignature,
    LightBlock,
    Validator,
    ValidatorSet,
    VoteFlag,
)

BLOCK_PROTOCOL: Final = 11
TRUST_LEVEL: Final = Fraction(1, 3)
"""More than this of the power that is trusted must have signed: then an honest one has."""
DECISION: Final = Fraction(2, 3)
"""More than this of the power decides a block."""
MAX_AHEAD_S: Final = 10
"""How far the clocks of the validators and of whoever checks may be apart."""
_MAX_POWER: Final = (2**63 - 1) // 8


class NotEnoughTrustError(LightBlockError):
    """Too few of the validators that are trusted have signed: a header in between is needed."""


def check_light_block(block: LightBlock, chain_id: str) -> None:
    """Check that the validators that a block names have decided it.

    Whether they are the chain's is not checked: that is `verify_light_block`.

    Raises:
        LightBlockError: They have not.
    """
    header, commit, where = block.header, block.commit, f"header {block.header.height}"
    # (1) The header is one of this chain and protocol.
    if header.chain_id != chain_id:
        raise LightBlockError(f"{where}: it belongs to the chain {header.chain_id!r}")
    if header.block_version != BLOCK_PROTOCOL:
        raise LightBlockError(f"{where}: block protocol {header.block_version} is unknown")
    if header.height < 1 or commit.height != header.height:
        raise LightBlockError(f"{where}: the commit is of height {commit.height}")
    # (2) The commit is for this header, and these are the validators that the header names.
    if commit.block_id.hash != header.hash():
        raise LightBlockError(f"{where}: the commit is for another header")
    if block.validators.hash() != header.validators_hash:
        raise LightBlockError(f"{where}: these are not its validators")
    # (3) More than two thirds of their power have signed it.
    power = _check_votes(commit, chain_id, block.validators)
    if power <= DECISION * block.validators.power:
        raise LightBlockError(
            f"{where}: signed by {power} of {block.validators.power} of the voting power, which "
            "is not more than two thirds"
        )


def verify_light_block(
    trusted: LightBlock, found: LightBlock, *, now_ns: int, trusting_period_s: int
) -> None:
    """Check that a later block follows from one that is trusted.

    Args:
        trusted: The block that is trusted.
        found: A later one.
        now_ns: The time, nanoseconds since 1970, UTC.
        trusting_period_s: How long the validators of a block are trusted after it.

    Raises:
        TrustExpiredError: The trusted block is older than the period.
        NotEnoughTrustError: Too few of the trusted validators signed it.
        LightBlockError: It does not follow.
    """
    known, header = trusted.header, found.header
    where = f"header {header.height}"
    check_trust_lasts(trusted, now_ns=now_ns, trusting_period_s=trusting_period_s)
    if header.height <= known.height:
        raise LightBlockError(f"{where}: it is not above header {known.height}, which is trusted")
    if header.time_ns <= known.time_ns:
        raise LightBlockError(f"{where}: it is not later than header {known.height}")
    if header.time_ns >= now_ns + MAX_AHEAD_S * NS_PER_S:
        raise StaleProofError(f"{where}: it is from the future; are both clocks right?")
    if header.height == known.height + 1:
        if header.validators_hash != known.next_validators_hash:
            raise LightBlockError(
                f"{where}: its validators are not those that header {known.height} names"
            )
    else:
        _check_trusted_power(trusted.validators, found.commit, known.chain_id)
    check_light_block(found, known.chain_id)


def check_rival(known: LightBlock, found: LightBlock) -> None:
    """Check that another header of the same height is one of a second history.

    Anybody can sign a header by keys of his own: it says something against the chain's validators
    where more than a third of them have signed it as well.

    Args:
        known: A block that is trusted.
        found: Another one of its height.

    Raises:
        LightBlockError: It is none that they decided.
    """
    _check_trusted_power(known.validators, found.commit, known.header.chain_id)
    check_light_block(found, known.header.chain_id)


def check_trust_lasts(trusted: LightBlock, *, now_ns: int, trusting_period_s: int) -> None:
    """Check that a block is young enough to trust others by it.

    Raises:
        TrustExpiredError: It is not.
    """
    age_s = (now_ns - trusted.header.time_ns) // NS_PER_S
    if age_s >= trusting_period_s:
        raise TrustExpiredError(
            f"header {trusted.header.height} is {age_s // 86_400} days old, and trusted for "
            f"{trusting_period_s // 86_400}: its validators may have sold their keys since; "
            "give height and hash of a newer one, from somebody whom you trust"
        )


def _check_trusted_power(trusted: ValidatorSet, commit: Commit, chain_id: str) -> None:
    """Check that enough of the trusted validators signed a block, whoever else did."""
    by_address = {validator.address: validator for validator in trusted.validators}
    signed: dict[bytes, int] = {}
    for vote in commit.signatures:
        validator = by_address.get(vote.address)
        if vote.flag is not VoteFlag.COMMIT or validator is None:
            continue
        if vote.address in signed:
            raise LightBlockError(f"header {commit.height}: {validator.public_key} signs twice")
        _check_vote(commit, chain_id, vote, validator)
        signed[vote.address] = validator.power
    power = sum(signed.values())
    if power <= TRUST_LEVEL * trusted.power:
        raise NotEnoughTrustError(
            f"header {commit.height}: signed by {power} of {trusted.power} of the power that is "
            "trusted, which is not more than a third"
        )


def _check_votes(commit: Commit, chain_id: str, validators: ValidatorSet) -> int:
    """Return the power that decided for the block; each vote stands at its validator's place."""
    if len(commit.signatures) != len(validators.validators):
        raise LightBlockError(
            f"header {commit.height}: {len(commit.signatures)} votes of "
            f"{len(validators.validators)} validators"
        )
    if not all(one.power > 0 for one in validators.validators) or validators.power > _MAX_POWER:
        raise LightBlockError(f"header {commit.height}: impossible voting powers")
    if len({one.key for one in validators.validators}) < len(validators.validators):
        # One key in many places would decide alone, where the peers' keys are all that is known.
        raise LightBlockError(f"header {commit.height}: a validator stands there twice")
    power = 0
    for vote, validator in zip(commit.signatures, validators.validators, strict=True):
        if vote.flag is VoteFlag.ABSENT:
            continue
        if vote.address != validator.address:
            raise LightBlockError(f"header {commit.height}: a vote stands at another's place")
        _check_vote(commit, chain_id, vote, validator)
        if vote.flag is VoteFlag.COMMIT:
            power += validator.power
    return power


def _check_vote(commit: Commit, chain_id: str, vote: CommitSignature, validator: Validator) -> None:
    try:
        VerifyKey(validator.key).verify(commit.sign_bytes(chain_id, vote), vote.signature)
    except BadSignatureError:
        raise LightBlockError(
            f"header {commit.height}: the vote of {validator.public_key} is not signed by it"
        ) from None
