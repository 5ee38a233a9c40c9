"""Spans of what the SDK asks of others: off, and free of OpenTelemetry, until `switch_on`."""

from client_sdk.tracing.spans import TRACE_HEADER as TRACE_HEADER
from client_sdk.tracing.spans import Attribute as Attribute
from client_sdk.tracing.spans import Attributes as Attributes
from client_sdk.tracing.spans import Kind as Kind
from client_sdk.tracing.spans import Span as Span
from client_sdk.tracing.spans import Tracer as Tracer
from client_sdk.tracing.spans import carried as carried
from client_sdk.tracing.spans import is_on as is_on
from client_sdk.tracing.spans import origin as origin
from client_sdk.tracing.spans import span as span
from client_sdk.tracing.spans import start_span as start_span
from client_sdk.tracing.spans import switch_on as switch_on
from client_sdk.tracing.spans import traced as traced
