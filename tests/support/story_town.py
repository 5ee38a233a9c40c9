"""The story of the demo, told with values that cannot be missed, and what was shown meanwhile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rich.console import Console

from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.verifier.gateway_client import RequestResult
from client_sdk.wallet.consent import PendingRequest
from node.cli.demo.ledger_view import LedgerEntry
from node.cli.demo.stage import Stage
from node.cli.demo.town import Town

CANARIES = {
    "name": "canary-name-9b1f6e70c2",
    "address": "canary-address-青葉-5d03aa41",
    "municipality": "canary-municipality-77e0b8d6",
    "portrait": "canary-portrait-c41d90fe22",
}


def canary_resident() -> ResidentAttributes:
    return ResidentAttributes(
        name=CANARIES["name"],
        address=CANARIES["address"],
        municipality=CANARIES["municipality"],
        birth_date=date(1987, 6, 5),
        sex="2",
        portrait=b"\xff\xd8\xff" + CANARIES["portrait"].encode() + b"\xff\xd9",
    )


@dataclass
class ToldStory:
    """What was shown while the story was told, and the town it was told in."""

    town: Town
    wallet_file: Path
    passphrase: str
    consents: list[PendingRequest] = field(default_factory=list)
    accepted: list[RequestResult] = field(default_factory=list)
    refused: list[RequestResult] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    found: dict[str, bool] = field(default_factory=dict)
    text: str = ""


class NotingStage(Stage):
    """A stage that also notes what it shows."""

    def __init__(self, console: Console, told: ToldStory) -> None:
        super().__init__(console)
        self._told = told

    def consent(self, pending: PendingRequest) -> None:
        self._told.consents.append(pending)
        super().consent(pending)

    def side_by_side(self, result: RequestResult, entries: Iterable[LedgerEntry]) -> None:
        self._told.accepted.append(result)
        self._told.entries = list(entries)
        super().side_by_side(result, self._told.entries)

    def refusal(self, what: str, result: RequestResult) -> None:
        self._told.refused.append(result)
        super().refusal(what, result)

    def searched(self, places: str, found: Mapping[str, bool]) -> None:
        self._told.found = dict(found)
        super().searched(places, found)
