"""A real browser over real pages: Debian's Chromium, and axe-core to find what shuts people out."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from node.web.server import WebServer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_AXE: Final = Path(__file__).parents[1] / "interop/js/node_modules/axe-core/axe.min.js"
Scheme = Literal["dark", "light"]
# Each language, scheme and size is looked at by axe-core once, which takes a while; what is only
# measured and photographed costs little. English comes last: there tests go on.
_LOOKS: Final[tuple[tuple[str, tuple[tuple[Scheme, str, bool], ...]], ...]] = (
    ("ja", (("dark", "phone", True), ("light", "phone", False))),
    ("en", (("dark", "phone", False), ("light", "desktop", True))),
)
_SIZES: Final[dict[str, ViewportSize]] = {
    "desktop": {"width": 1280, "height": 800},
    "phone": {"width": 390, "height": 844},
}
# A refusal, a wait, or a broken line that a test asks for is no error of a script.
_EXPECTED: Final = re.compile("responded with a status of (4|503)|net::ERR_|SSL certificate error")
_PICTURED: Final = ("en-light-desktop", "ja-light-phone", "light")
MAX_FIRST_VIEW_BYTES: Final = 150_000
"""What a page may load, with all that it needs, by whoever comes for the first time."""
# Also of what is in the browser's cache; with some bytes for the headers of each answer.
_FIRST_VIEW: Final = """
["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
  .reduce((sum, entry) => sum + entry.encodedBodySize + 500, 0)
"""
_AXE_OPTIONS: Final = {"resultTypes": ["violations"], "elementRef": False, "preload": False}
_PATIENCE_MS: Final = 60_000
"""What is awaited comes; on a busy machine that measures coverage it may take its time."""
expect.set_options(timeout=_PATIENCE_MS)


@contextmanager
def serve_in_thread(
    app: "WSGIApplication", *, threads: int = 8, listen: str = "127.0.0.1:0"
) -> Iterator[str]:
    """Serve an application on this machine, by default on any free port; yield its URL."""
    server = WebServer(app, listen, threads=threads)
    runner = threading.Thread(target=server.run)
    runner.start()
    try:
        yield f"http://{server.address}"
    finally:
        server.stop()
        runner.join()


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Start Debian's Chromium, without a window."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed; as root, `make test` installs it")
    with sync_playwright() as playwright:
        # Tests run as root in containers, where there is no sandbox to be had.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", *arguments]
        )
        yield browser
        browser.close()


@contextmanager
def person(browser: Browser, **options: Any) -> Iterator[Page]:
    """Yield a page of somebody who comes for the first time; no error of a script is let pass."""
    context: BrowserContext = browser.new_context(**{"locale": "en-GB", **options})
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    try:
        yield page
    finally:
        context.close()
    unexpected = [error for error in errors if not _EXPECTED.search(error)]
    assert unexpected == [], unexpected


def log_in(page: Page, url: str, name: str, password: str) -> None:
    """Log in at the pages of a service."""
    page.goto(url)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button").click()
    page.wait_for_url(lambda at: "/login" not in at)


def reset(page: Page) -> None:
    """Let a page be as wide as a desktop again, and light."""
    page.set_viewport_size(_SIZES["desktop"])
    page.emulate_media(color_scheme="light")


def check_page(page: Page, name: str) -> None:
    """Look at the page that is open in both languages, colour schemes and sizes.

    axe-core finds nothing, nothing is wider than the screen, and the first view is small. With
    `TEGATA_SCREENSHOTS` set to a folder, two pictures are written there:
    `<name>-<language>-<scheme>-<size>.png`.
    """
    parts = urlsplit(page.url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "lang"]
    for language, looks in _LOOKS:
        page.goto(_in_language(parts, query, language))
        assert page.locator("html").get_attribute("lang") == language
        _check_size(page, name)
        for scheme, size, is_searched in looks:
            page.set_viewport_size(_SIZES[size])
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            _check_view(page, name, f"{language}-{scheme}-{size}", is_searched=is_searched)


def _in_language(parts: SplitResult, query: list[tuple[str, str]], language: str) -> str:
    return urlunsplit(parts._replace(query=urlencode([*query, ("lang", language)]), fragment=""))


def check_view(page: Page, name: str) -> None:
    """Look at what is shown now, where it could not be loaded again: in both colour schemes."""
    _check_size(page, name)
    looks: tuple[tuple[Scheme, list[str] | None], ...] = (
        ("dark", ["color-contrast"]),
        ("light", None),
    )
    for scheme, rules in looks:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        _check_view(page, name, scheme, rules=rules)


def _check_size(page: Page, name: str) -> None:
    size = int(page.evaluate(_FIRST_VIEW))
    assert 0 < size < MAX_FIRST_VIEW_BYTES, f"{name}: the first view has {size} bytes"


def _check_view(
    page: Page,
    name: str,
    look: str,
    *,
    is_searched: bool = True,
    rules: list[str] | None = None,
) -> None:
    found = violations(page, rules) if is_searched else []
    assert found == [], f"{name}, {look}: {found}"
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"{name}, {look}: {width} pixels wider than the screen"
    folder = os.environ.get("TEGATA_SCREENSHOTS")
    if folder and look in _PICTURED:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}-{look}.png", full_page=True)


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """Return what axe-core finds on the page that is open, by all of its rules or by some."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text(encoding="utf-8"))
    options = {**_AXE_OPTIONS, **({"runOnly": rules} if rules else {})}
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def first_view_bytes(browser: Browser, url: str, cookies: list[Any]) -> int:
    """Return how many bytes a browser loads that has nothing of the page yet."""
    context = browser.new_context()
    context.add_cookies(cookies)
    page = context.new_page()
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(sum(request.sizes().values())))
    page.goto(url, wait_until="load")
    context.close()
    return sum(sizes)
