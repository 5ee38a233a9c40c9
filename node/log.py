"""Logs of a process: one JSON object a line on standard error, or coloured text on a terminal.

Callers log names, ids and codes; never a request's body, a claim, a salt, a token or a key.
"""

import logging
import sys

import structlog

from node.metrics import EVENTS


def configure_logging(*, verbose: bool = False, level: int | None = None) -> None:
    """Set up the process's logs, once, at its start.

    Args:
        verbose: Write more than what an operator needs each day.
        level: The least level that is written, as a number of `logging`; `verbose` says it else.
    """
    if level is None:
        level = logging.DEBUG if verbose else logging.INFO
    on_terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _count,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def _count(
    _logger: object, _method: str, line: structlog.types.EventDict
) -> structlog.types.EventDict:
    # An event's name is a word of ours: what it tells of stands beside it.
    EVENTS.labels(line["event"], line["level"]).inc()
    return line
