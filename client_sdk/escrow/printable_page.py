"""Pages to print: the recovery card, and the sheets of a paper backup. Japanese or English.

A page is one file of HTML that loads nothing; the QR code is in it.
"""

from html import escape
from typing import Final, Literal

import segno

from client_sdk.escrow.paper_backup import PaperShare
from client_sdk.escrow.recovery_card import RecoveryCard

Language = Literal["ja", "en"]

_STYLE: Final = """
body { font-family: sans-serif; max-width: 170mm; margin: 10mm auto; color: #000; }
h1 { font-size: 18pt; } svg { width: 70mm; height: 70mm; }
dt { font-weight: bold; margin-top: 2mm; } code { overflow-wrap: anywhere; font-size: 9pt; }
ol { line-height: 1.8; }
"""
_CARD_TEXT: Final = {
    "ja": (
        "復元カード",
        "スマートフォンを失くしたとき、このカードと復元用パスワードでウォレットを取り戻せます。",
        (
            "新しいスマートフォンのウォレットで「復元」を選び、この QR コードを読み取ります。",
            "復元用パスワードを入力します。何度も間違えると、窓口での本人確認が必要になります。",
        ),
        (
            "カードだけではウォレットは開きません。パスワードをこの紙に書かないでください。",
            "カードを失くしたら、ウォレットからカードを作り直してください。",
        ),
        ("カード番号", "預け先", "QR コードの内容"),
    ),
    "en": (
        "Recovery card",
        "If you lose your phone, this card and your recovery password bring your wallet back.",
        (
            "In the wallet of your new phone choose “Recover” and scan this QR code.",
            "Type your recovery password. After several wrong ones you are asked to a counter.",
        ),
        (
            "The card alone does not open your wallet. Do not write the password on this paper.",
            "If you lose the card, have your wallet make a new one.",
        ),
        ("Card number", "Agents", "What the QR code holds"),
    ),
}
_SHEET_TEXT: Final = {
    "ja": (
        "紙のバックアップ",
        "必要な枚数の紙がそろうと、パスワードなしでウォレットの内容を取り戻せます。",
        ("紙は別々の場所に保管し、それぞれ別の人に預けてください。",),
        ("カード番号", "言葉 (SLIP-39)"),
    ),
    "en": (
        "Paper backup",
        "Enough of these sheets bring back what is in your wallet, without any password.",
        ("Keep the sheets in different places, with different people.",),
        ("Card number", "Words (SLIP-39)"),
    ),
}


def render_card(card: RecoveryCard, *, language: Language = "en") -> str:
    """Return the recovery card as a page of HTML. It holds the card's secret."""
    title, lead, steps, warnings, (number, agents, text) = _CARD_TEXT[language]
    link = card.encode()
    return _page(
        language,
        title,
        f"<p>{escape(lead)}</p>",
        _qr(link),
        _list("ol", steps),
        _list("ul", warnings),
        "<dl>",
        f"<dt>{escape(number)}</dt><dd><code>{card.handle}</code></dd>",
        f"<dt>{escape(agents)}</dt>",
        *(f"<dd><code>{escape(url)}</code></dd>" for url in card.urls),
        f"<dt>{escape(text)}</dt><dd><code>{escape(link)}</code></dd></dl>",
    )


def render_sheet(sheet: PaperShare, *, place: int, language: Language = "en") -> str:
    """Return one sheet of a paper backup as a page of HTML. It holds the share.

    Args:
        sheet: The share.
        place: Which sheet it is, from 1.
        language: The page's language.
    """
    title, lead, warnings, (number, words) = _SHEET_TEXT[language]
    numbered = "".join(f"<li>{escape(word)}</li>" for word in sheet.words.split())
    return _page(
        language,
        f"{title} {place}",
        f"<p>{escape(lead)}</p>",
        _qr(sheet.encode()),
        _list("ul", warnings),
        f"<dl><dt>{escape(number)}</dt><dd><code>{escape(sheet.handle)}</code></dd>",
        f"<dt>{escape(words)}</dt><dd><ol>{numbered}</ol></dd></dl>",
    )


def _page(language: Language, title: str, *parts: str) -> str:
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Tegata: {escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _list(kind: str, items: tuple[str, ...]) -> str:
    return f"<{kind}>{''.join(f'<li>{escape(item)}</li>' for item in items)}</{kind}>"


def _qr(text: str) -> str:
    return segno.make(text, micro=False, error="m").svg_inline(omitsize=True)
