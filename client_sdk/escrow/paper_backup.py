"""The wallet secret on paper: shares of which any m bring the backup back without a password.

    tegata-paper:v1?handle=...&agents=...&url=...&words=...

The words are SLIP-39 shares, by its authors' implementation: each carries its own checksum, and
fewer than m say nothing. Whoever holds m of them needs nothing else; keep them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode

from shamir_mnemonic import (  # type: ignore[import-untyped]
    MnemonicError,
    combine_mnemonics,
    generate_mnemonics,
)

from client_sdk.errors import EscrowFormatError, RequestError
from client_sdk.escrow.agent_set import MAX_AGENTS
from client_sdk.escrow.backup import WalletSecret
from client_sdk.escrow.protection import Protection
from client_sdk.http.endpoint_url import parse_endpoint

SCHEME: Final = "tegata-paper:v1?"
MAX_SHARES: Final = 16
_MAX_CHARS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperShare:
    """One sheet.

    Attributes:
        handle: The recovery card's name.
        agent_set: The digest of the agents' verification keys.
        urls: Where the agents are reached, in the order of their indices.
        words: 33 words of SLIP-39.
    """

    handle: str
    agent_set: str
    urls: tuple[str, ...]
    words: str = field(repr=False)

    def encode(self) -> str:
        """Return the text that the sheet's QR code holds."""
        fields = [("handle", self.handle), ("agents", self.agent_set)]
        fields += [("url", url) for url in self.urls]
        return SCHEME + urlencode([*fields, ("words", self.words)], safe=":/")


def split_protection(protection: Protection, *, threshold: int, shares: int) -> list[PaperShare]:
    """Return sheets, any `threshold` of which bring the backup back.

    Raises:
        EscrowFormatError: Not 2 <= threshold <= shares <= 16.
    """
    if not 2 <= threshold <= shares <= MAX_SHARES:
        raise EscrowFormatError(
            f"{threshold} of {shares} sheets: 2 <= threshold <= shares <= {MAX_SHARES}"
        )
    (group,) = generate_mnemonics(1, [(threshold, shares)], protection.secret.value)
    return [
        PaperShare(
            handle=protection.handle,
            agent_set=protection.agents.id,
            urls=protection.urls,
            words=words,
        )
        for words in group
    ]


def join_shares(sheets: Sequence[PaperShare]) -> WalletSecret:
    """Return the wallet secret of enough sheets.

    Raises:
        EscrowFormatError: They are too few, of different wallets, or a word is wrong.
    """
    if len({(sheet.handle, sheet.agent_set) for sheet in sheets}) != 1:
        raise EscrowFormatError("the sheets are of different wallets")
    try:
        return WalletSecret(value=combine_mnemonics([sheet.words for sheet in sheets]))
    except MnemonicError as error:
        raise EscrowFormatError(f"the sheets do not give the secret: {error}") from None


def parse_paper_share(text: str) -> PaperShare:
    """Return the sheet that a text, as scanned or typed, stands for.

    Raises:
        EscrowFormatError: It is no sheet of this version.
    """
    text = text.strip()
    if not text.startswith(SCHEME) or len(text) > _MAX_CHARS:
        raise EscrowFormatError(f"a sheet of a paper backup begins with {SCHEME}")
    try:
        fields = parse_qsl(text.removeprefix(SCHEME), strict_parsing=True)
        values = dict(fields)
        urls = [parse_endpoint(url.rstrip("/"), name) for name, url in fields if name == "url"]
        sheet = PaperShare(
            handle=values["handle"],
            agent_set=values["agents"],
            urls=tuple(urls),
            words=values["words"],
        )
    except (ValueError, KeyError, RequestError):
        raise EscrowFormatError("the sheet cannot be read; scan it again") from None
    if not 1 <= len(sheet.urls) <= MAX_AGENTS:
        raise EscrowFormatError("the sheet is not whole; scan it again")
    return sheet
