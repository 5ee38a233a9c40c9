"""The way from an issuer's page back to the command line."""

import threading
from urllib.parse import urlencode

import click
import pytest
import requests
from click.testing import CliRunner

from client_sdk.errors import OfferError
from node.cli.browser import LoopbackBrowser, PastedAddress

PAGE = "https://issuer.example/authorize?client_id=tegata-wallet"


def test_the_browser_comes_back_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[tuple[int, str]] = []

    def launch(url: str) -> int:
        assert url == PAGE

        def browse() -> None:
            for path in ("/favicon.ico", "/callback?code=stranger", "/callback?state=s&code=c"):
                answer = requests.get(browser.redirect_uri.removesuffix("/callback") + path)
                answers.append((answer.status_code, answer.text))

        threads.append(threading.Thread(target=browse))
        threads[0].start()
        return 0

    threads: list[threading.Thread] = []
    monkeypatch.setattr(click, "launch", launch)
    with LoopbackBrowser(patience_s=30) as browser:
        back = browser.visit(PAGE)
        threads[0].join()
    assert back == f"{browser.redirect_uri}?{urlencode({'state': 's', 'code': 'c'})}"
    assert [status for status, _ in answers] == [404, 404, 200]
    assert "Close this window" in answers[2][1]


def test_a_browser_that_does_not_come_back_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(click, "launch", lambda _url: 0)
    with LoopbackBrowser(patience_s=0.05) as browser, pytest.raises(OfferError, match="come back"):
        browser.visit(PAGE)


def test_the_address_can_be_pasted() -> None:
    @click.command()
    def visit() -> None:
        browser = PastedAddress()
        click.echo(browser.visit(f"{PAGE}&r={browser.redirect_uri}"))

    pasted = "http://127.0.0.1:1/callback?state=s&code=c"
    shown = CliRunner().invoke(visit, input=f" {pasted} \n")
    assert shown.stdout.strip() == pasted
    assert PAGE in shown.stderr
