"""QR codes in pages."""

from typing import Final

import segno
from markupsafe import Markup

_QUIET_ZONE: Final = 4
"""Modules of light around the code, as ISO/IEC 18004 wants them; also on a dark page."""


def qr_picture(text: str, *, label: str) -> Markup:
    """Return the QR code of a text as SVG, to be set into a page.

    Args:
        text: What a scanner reads.
        label: What a screen reader says in its place.
    """
    svg = segno.make(text, micro=False).svg_inline(
        border=_QUIET_ZONE, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    labelled = Markup('<svg role="img" aria-label="{}" ').format(label)
    # segno draws numbers only: nothing of the text stands in it.
    return labelled + Markup(svg.removeprefix("<svg "))  # noqa: S704
