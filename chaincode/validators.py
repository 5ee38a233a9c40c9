"""The peers that vote, as CometBFT knows them: its validators."""

from collections.abc import Mapping

from chaincode.errors import DecodeError
from chaincode.replication import VALIDATOR_POWER, validator_key
from chaincode.world_state import ReadableState, get_voters, voters_among


def foreign_key_problem(state: ReadableState) -> str | None:
    """Return what is wrong with the key of a peer that votes, or None where all is well."""
    for key in sorted(get_voters(state)):
        try:
            validator_key(key)
        except DecodeError as error:
            return str(error)
    return None


def validator_changes(
    view: ReadableState, changes: Mapping[bytes, bytes | None]
) -> list[tuple[bytes, int]]:
    """Return the new power of each validator that a block's changes bring or take away.

    Args:
        view: The state below the block.
        changes: What the block does to it.
    """
    before = get_voters(view)
    after = voters_among(changes, before)
    return [
        (validator_key(key), VALIDATOR_POWER if key in after else 0)
        for key in sorted(before ^ after)
    ]
