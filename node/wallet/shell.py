"""What makes the page an app that can be installed: manifest, service worker, offline page.

The service worker keeps styles, scripts and one page that says that the wallet's computer is not
reached. It never keeps a page of the wallet: those hold attributes.
"""

from typing import Final

from flask import Blueprint, Response, jsonify, render_template, send_from_directory, url_for

from node.wallet.desk import Desk
from node.web.languages import gettext, language

_GROUND: Final = "#fbfaf7"
_ACCENT: Final = "#1f5fa8"
_ICON_SIZES: Final = (192, 512)


def add_shell(wallet: Blueprint, _desk: Desk) -> None:
    """Add what browsers fetch to install the wallet."""

    @wallet.get("/manifest.webmanifest")
    def manifest() -> Response:
        """Describe the app (W3C Web Application Manifest)."""
        response = jsonify(
            id="/",
            name=gettext("Tegata wallet"),
            short_name=gettext("Wallet"),
            description=gettext("Your credentials, and who may see what of them."),
            lang=language(),
            start_url="/",
            scope="/",
            display="standalone",
            background_color=_GROUND,
            theme_color=_ACCENT,
            icons=[
                {
                    "src": url_for("wallet_assets.static", filename=f"icon-{size}.png"),
                    "sizes": f"{size}x{size}",
                    "type": "image/png",
                    "purpose": purpose,
                }
                for size in _ICON_SIZES
                for purpose in ("any", "maskable")
            ],
        )
        response.mimetype = "application/manifest+json"
        return response

    @wallet.get("/sw.js")
    def service_worker() -> Response:
        """Return the service worker; from here it serves every page."""
        folder = wallet.root_path
        response = send_from_directory(f"{folder}/static", "sw.js", mimetype="text/javascript")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @wallet.get("/offline")
    def offline() -> str:
        """Say, in both languages, that the wallet's computer is not reached."""
        return render_template("wallet/offline.html")
