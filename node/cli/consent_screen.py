"""What a holder reads on a terminal before they consent: who asks, why, and what is shared."""

from typing import Final

from rich.panel import Panel
from rich.text import Text

from client_sdk.openid4vp.claims_path import name_path
from client_sdk.wallet.consent import PendingRequest
from node.cli.output import plain, when

_PREVIEW_CHARS: Final = 60


def consent(pending: PendingRequest) -> Panel:
    """Return what a consent screen says: who asks, why, until when, and exactly what is shared."""
    if pending.is_verified:
        lines = [Text("Certified:", style="green")]
    else:
        lines = [Text("NOT VERIFIED, the name is its own claim:", style="bold red")]
    lines.append(Text.assemble(plain(pending.verifier_name, "bold"), " asks"))
    if pending.offer is None:
        lines.append(Text("It states no purpose and no end, and nothing can be revoked.", "red"))
    else:
        until = f"{when(pending.offer.expires_at_ms)}, {pending.offer.uses} time(s)"
        term = pending.offer.purpose_term
        lines += [
            plain(f"Purpose: {pending.offer.purpose}"),
            Text(f"         {term.english} / {term.japanese}"),
            Text(f"Until:   {until}"),
        ]
        if pending.offer.deposit_key is not None:
            lines.append(Text("         also while you are away: each look is in your history"))
    if pending.face is not None:
        service = pending.face.services[0]
        lines += [
            Text("It demands a face test / 顔テストが必要です:", "bold"),
            plain(f"  {service.name} ({service.url}) compares your face with your portrait"),
        ]
    if pending.exceeding:
        names = ", ".join(dict.fromkeys(claim.name for claim in pending.exceeding))
        lines += [
            Text(
                "IT ASKS FOR MORE THAN IT IS REGISTERED FOR / 登録の範囲を超えています:", "bold red"
            ),
            plain(f"  {names}", "bold red"),
        ]
    lines.append(Text("Shared, and nothing else:"))
    for shown in pending.shown:
        if len(pending.shown) > 1:
            lines.append(Text.assemble("From ", plain(shown.credential.credential_type, "bold")))
        lines += [
            Text.assemble(
                "  ", plain(name_path(share.path), "cyan"), "  ", plain(preview(share.value))
            )
            for share in shown.shares
        ]
    lines += _choices(pending)
    return Panel(Text("\n").join(lines), title="Request", border_style="cyan", expand=False)


def _choices(pending: PendingRequest) -> list[Text]:
    """Return what else the holder may choose, as `--choose` takes it."""
    lines: list[Text] = []
    for place, (asked, chosen) in enumerate(zip(pending.sets, pending.options, strict=True)):
        for option, query_ids in enumerate(asked.options):
            if option != chosen:
                names = plain(", ".join(_attributes_of(pending, query_ids)), "cyan")
                kind = "Optional" if chosen is None else "Instead"
                lines.append(Text.assemble(f"{kind}, --choose {place}={option}: ", names))
        if chosen is not None and not asked.required:
            lines.append(Text(f"Or nothing of it: --choose {place}=none"))
    return lines


def _attributes_of(pending: PendingRequest, query_ids: tuple[str, ...]) -> list[str]:
    return [
        name_path(share.path)
        for query_id in query_ids
        for share in pending.candidates[query_id][0].shares
    ]


def preview(value: object) -> str:
    """Return the beginning of a value, or all of it where it is short."""
    text = str(value)
    return text if len(text) <= _PREVIEW_CHARS else f"{text[:40]}... ({len(text)} characters)"
