"""Light blocks as JSON, in the words of CometBFT's RPC: read strictly, and written to be kept.

Each value has one form only, so that no changed text stands for the same block.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import CredentialFormatError, LightBlockError
from client_sdk.ledger.light_client.light_block import (
    ADDRESS_BYTES,
    NS_PER_S,
    BlockId,
    Commit,
    CommitSignature,
    Header,
    LightBlock,
    Validator,
    ValidatorSet,
    VoteFlag,
    timestamp,
)
from client_sdk.strict_json import JsonFields, encode_json, parse_strict_json

MAX_VALIDATORS: Final = 1000
_HASH_BYTES: Final = 32
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_KEY_TYPE: Final = "tendermint/PubKeyEd25519"
_MAX_NUMBER: Final = 2**63 - 1
_MAX_SMALL: Final = 2**31 - 1
_NO_TIME_NS: Final = -62_135_596_800 * NS_PER_S
"""Go's zero time: the beginning of the year 1."""
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_HEX: Final = re.compile(r"(?:[0-9A-F]{2})*")


def parse_light_block(commit: JsonObject, pages: Sequence[JsonObject]) -> LightBlock:
    """Return the block that answers of CometBFT's RPC show; nothing is checked but the form.

    Args:
        commit: The result of `/commit`.
        pages: The results of `/validators`, page after page.

    Raises:
        LightBlockError: Something is missing or of the wrong form.
    """
    signed_header = _Fields(commit, "the commit").member("signed_header")
    return LightBlock(
        header=_parse_header(signed_header.member("header")),
        commit=_parse_commit(signed_header.member("commit")),
        validators=_parse_validators([_Fields(page, "the validators") for page in pages]),
    )


def decode_light_block(data: bytes) -> LightBlock:
    """Return the block that `encode_light_block` wrote; nothing is checked but the form.

    Raises:
        LightBlockError: It is none.
    """
    try:
        value = parse_strict_json(data)
    except CredentialFormatError as error:
        raise LightBlockError(f"the light block: {error}") from None
    if not isinstance(value, dict):
        raise LightBlockError("the light block: an object is expected")
    return parse_light_block(value, [value])


def encode_light_block(block: LightBlock) -> bytes:
    """Return a block as JSON."""
    header, commit = block.header, block.commit
    value: JsonObject = {
        "signed_header": {
            "header": {
                "version": {"block": str(header.block_version), "app": str(header.app_version)},
                "chain_id": header.chain_id,
                "height": str(header.height),
                "time": _time_text(header.time_ns),
                "last_block_id": _block_id_json(header.last_block_id),
                **{name: _hex_text(getattr(header, name)) for name in _HASHES},
                "app_hash": _hex_text(header.app_hash),
                "proposer_address": _hex_text(header.proposer_address),
            },
            "commit": {
                "height": str(commit.height),
                "round": commit.round,
                "block_id": _block_id_json(commit.block_id),
                "signatures": [_signature_json(vote) for vote in commit.signatures],
            },
        },
        "validators": [
            {
                "address": _hex_text(validator.address),
                "pub_key": {"type": _KEY_TYPE, "value": base64.b64encode(validator.key).decode()},
                "voting_power": str(validator.power),
            }
            for validator in block.validators.validators
        ],
    }
    return encode_json(value)


_HASHES: Final = (
    "last_commit_hash",
    "data_hash",
    "validators_hash",
    "next_validators_hash",
    "consensus_hash",
    "last_results_hash",
    "evidence_hash",
)


class _Fields(JsonFields):
    """Members in the forms that CometBFT gives them."""

    def __init__(
        self, value: JsonValue, what: str, error: type[LightBlockError] = LightBlockError
    ) -> None:
        super().__init__(value, what=what, error=error)

    def number(self, name: str) -> int:
        """Return a number of 64 bits, which JSON has as text."""
        text = self.text(name)
        if not _NUMBER.fullmatch(text) or int(text) > _MAX_NUMBER:
            raise self.wrong(name, "no number")
        return int(text)

    def small(self, name: str) -> int:
        """Return a number of 31 bits."""
        value = self.whole(name)
        if value > _MAX_SMALL:
            raise self.wrong(name, "no number")
        return value

    def hex(self, name: str, *lengths: int) -> bytes:
        """Return bytes in upper-case hex, of one of the lengths; of any where none is given."""
        text = self.text(name)
        if not _HEX.fullmatch(text) or (lengths and len(text) // 2 not in lengths):
            raise self.wrong(name, "no such bytes")
        return bytes.fromhex(text)

    def base64(self, name: str) -> bytes:
        """Return bytes in base64."""
        text = self.text(name)
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise self.wrong(name, "no base64") from None
        # Of several texts for the same bytes, only one is written.
        if base64.b64encode(data).decode() != text:
            raise self.wrong(name, "no base64")
        return data

    def time(self, name: str) -> int:
        """Return a time, nanoseconds since 1970, UTC."""
        text, time = self.text(name), Timestamp()
        try:
            time.FromJsonString(text)
        except ValueError:
            raise self.wrong(name, "no time") from None
        time_ns = time.seconds * NS_PER_S + time.nanos
        if _time_text(time_ns) != text:
            raise self.wrong(name, "not in the form of a time")
        return time_ns

    def wrong(self, name: str, problem: str) -> LightBlockError:
        """Return the error that says what is wrong with a member."""
        return LightBlockError(f"{self._what}: {name}: {problem}")


def _parse_block_id(fields: _Fields) -> BlockId:
    parts = fields.member("parts")
    return BlockId(
        hash=fields.hex("hash", 0, _HASH_BYTES),
        part_total=parts.small("total"),
        part_hash=parts.hex("hash", 0, _HASH_BYTES),
    )


def _parse_header(fields: _Fields) -> Header:
    version = fields.member("version")
    return Header(
        block_version=version.number("block"),
        app_version=version.number("app") if "app" in version.names else 0,
        chain_id=fields.text("chain_id"),
        height=fields.number("height"),
        time_ns=fields.time("time"),
        last_block_id=_parse_block_id(fields.member("last_block_id")),
        app_hash=fields.hex("app_hash"),
        proposer_address=fields.hex("proposer_address", ADDRESS_BYTES),
        **{name: fields.hex(name, 0, _HASH_BYTES) for name in _HASHES},
    )


def _parse_commit(fields: _Fields) -> Commit:
    return Commit(
        height=fields.number("height"),
        round=fields.small("round"),
        block_id=_parse_block_id(fields.member("block_id")),
        signatures=tuple(_parse_signature(vote) for vote in fields.objects("signatures")),
    )


def _parse_signature(fields: _Fields) -> CommitSignature:
    try:
        flag = VoteFlag(fields.whole("block_id_flag"))
    except ValueError:
        raise fields.wrong("block_id_flag", "unknown") from None
    vote = CommitSignature(
        flag=flag,
        address=fields.hex("validator_address"),
        time_ns=fields.time("timestamp"),
        signature=fields.base64("signature") if fields.optional_text("signature") else b"",
    )
    size = (len(vote.address), len(vote.signature))
    if flag is VoteFlag.ABSENT:
        if size != (0, 0) or vote.time_ns != _NO_TIME_NS:
            raise fields.wrong("block_id_flag", "absent, but there is a vote")
    elif size != (ADDRESS_BYTES, _SIGNATURE_BYTES):
        raise fields.wrong("signature", "there is none")
    return vote


def _parse_validators(pages: Sequence[_Fields]) -> ValidatorSet:
    found = [one for page in pages for one in page.objects("validators")]
    if not 0 < len(found) <= MAX_VALIDATORS:
        raise LightBlockError(f"the validators: there are {len(found)}")
    return ValidatorSet(tuple(_parse_validator(fields) for fields in found))


def _parse_validator(fields: _Fields) -> Validator:
    key = fields.member("pub_key")
    if key.text("type") != _KEY_TYPE:
        raise key.wrong("type", "only Ed25519 keys sign blocks here")
    validator = Validator(key=key.base64("value"), power=fields.number("voting_power"))
    if len(validator.key) != _KEY_BYTES:
        raise key.wrong("value", "no Ed25519 key")
    if fields.hex("address", ADDRESS_BYTES) != validator.address:
        raise fields.wrong("address", "it is not that of the key")
    return validator


def _block_id_json(block_id: BlockId) -> JsonObject:
    return {
        "hash": _hex_text(block_id.hash),
        "parts": {"total": block_id.part_total, "hash": _hex_text(block_id.part_hash)},
    }


def _signature_json(vote: CommitSignature) -> JsonObject:
    return {
        "block_id_flag": vote.flag.value,
        "validator_address": _hex_text(vote.address),
        "timestamp": _time_text(vote.time_ns),
        "signature": base64.b64encode(vote.signature).decode() or None,
    }


def _hex_text(data: bytes) -> str:
    return data.hex().upper()


def _time_text(time_ns: int) -> str:
    """Return a time as Go writes it: RFC 3339, without zeros at the end of the fraction."""
    seconds, nanos = divmod(time_ns, NS_PER_S)
    text = timestamp(seconds * NS_PER_S).ToJsonString().removesuffix("Z")
    return text + (f".{nanos:09d}".rstrip("0") if nanos else "") + "Z"
