"""The operator's page as a process: reads the ledger, serves until stopped."""

import threading
import time
from importlib.metadata import version
from typing import Final

from flask import Flask, Response

from client_sdk.errors import TransportError
from node.errors import ApiError, ConfigError
from node.observer.account_pages import add_account_pages
from node.observer.block_index import BlockIndex
from node.observer.config import ObserverConfig
from node.observer.observer import Observer
from node.observer.pages import add_pages
from node.observer.reader import BlockReader
from node.service_account import ServiceAccount
from node.web.app import create_api
from node.web.languages import gettext_noop
from node.web.logins import Logins
from node.web.pages import NavigationItem, Pages, derive_session_key
from node.web.problems import RETRY_AFTER_S, problem_of
from node.web.server import serve

LEDGER_TIMEOUT_S: Final = 5.0


def now_ms() -> int:
    """Return the time: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def create_app(observer: Observer, *, session_key: bytes) -> Flask:
    """Make the application.

    Args:
        observer: What its pages show.
        session_key: What sessions are signed with.
    """
    config = observer.config
    app = create_api("page", version("tegata"), title="Tegata operator's page")
    app.register_error_handler(TransportError, _unreachable)
    pages = Pages(
        app,
        service="page",
        title=gettext_noop("Tegata node"),
        session_key=session_key,
        is_secure=config.public_url.startswith("https:"),
        logins=Logins(config.logins, home="/", now_s=lambda: observer.now_ms() / 1000),
    )
    blueprint = pages.blueprint(
        "observer",
        "node.observer",
        navigation=(
            NavigationItem(endpoint="observer.overview", label=gettext_noop("Overview")),
            NavigationItem(endpoint="observer.adoption", label=gettext_noop("Adoption")),
            NavigationItem(endpoint="observer.list_blocks", label=gettext_noop("Blocks")),
            NavigationItem(endpoint="observer.list_accounts", label=gettext_noop("Accounts")),
        ),
    )
    add_pages(blueprint, observer)
    add_account_pages(blueprint, observer)
    app.register_blueprint(blueprint)
    return app


def run_observer(config: ObserverConfig) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigError: The configuration, a key or the address cannot be used, or nobody may log in.
        StorageError: The database cannot be used.
    """
    if not config.logins:
        raise ConfigError("logins: nobody may see the page; see `tegata node page add-login`")
    account = ServiceAccount(config.ledger)
    index = BlockIndex(config.database_url)
    stopped = threading.Event()
    with account.connect(timeout_s=LEDGER_TIMEOUT_S) as ledger:
        reader = BlockReader(ledger, index)
        observer = Observer(config=config, ledger=ledger, index=index, reader=reader, now_ms=now_ms)
        app = create_app(observer, session_key=derive_session_key(account.key.seed, service="page"))
        thread = threading.Thread(target=reader.run, args=(stopped,), name="blocks")
        thread.start()
        try:
            serve(app, config.listen, service="page", metrics=config.metrics)
        finally:
            stopped.set()
            thread.join()
            index.close()


def _unreachable(_error: Exception) -> Response:
    return problem_of(
        ApiError(
            503,
            "node_unreachable",
            "The node does not answer",
            "The node does not answer. See whether it runs.",
            retry_after_s=RETRY_AFTER_S,
        )
    )
