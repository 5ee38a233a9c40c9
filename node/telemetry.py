"""Traces of a process, where the environment says where they go (`OTEL_*`); nothing otherwise.

The variables are OpenTelemetry's own, as every program of it reads them. Spans hold what
`client_sdk.tracing` lets them hold; whoever collects them still sees who asks whom, and when.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from typing import Final

from client_sdk import tracing
from node.errors import ConfigError

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_EXTRA: Final = "opentelemetry"
_ends: Final = ExitStack()


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether an environment asks for traces: it names where they go, and forbids none."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter:
        return exporter == "otlp"
    return any(environment.get(name) for name in _ENDPOINTS)


def configure_telemetry(service: str) -> bool:
    """Send this process's spans by OTLP over HTTP, where its environment asks for it.

    Call it once, at the process's start, before the service is made.

    Args:
        service: The name that the spans bear: `tegata-` and this; `OTEL_SERVICE_NAME` is stronger.

    Returns:
        Whether it asks for it.

    Raises:
        ConfigError: The environment asks for it, and the extra `telemetry` is not installed.
    """
    if not is_wanted(os.environ):
        return False
    try:
        otlp = import_module("node.otlp")
    except ImportError as error:
        if not (error.name or "").startswith(_EXTRA):
            raise
        raise ConfigError(
            "OTEL_* asks for traces, which need OpenTelemetry: pip install 'tegata[telemetry]'"
        ) from None
    tracer, shut_down = otlp.connect(service)
    tracing.switch_on(tracer)
    _ends.callback(shut_down)
    return True


def end_telemetry() -> None:
    """Send what is left, in a process that ends by `os._exit`; others do so by themselves."""
    _ends.close()
