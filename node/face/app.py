"""The face service's application: wires its parts, with whatever examines faces."""

import time
from collections.abc import Callable

from flask import Flask, request

from client_sdk.credentials.jose import Key, export_public_jwk
from node.face.challenge import Limits, Series, Vision
from node.face.challenges import Challenges, Lifetimes
from node.face.config import FaceConfig
from node.face.pages import add_pages
from node.face.routes import ServiceDescription, create_routes
from node.web.caller_address import caller_address
from node.web.rate_limit import RateLimiter, parse_rate


def create_app(
    config: FaceConfig,
    *,
    vision: Vision,
    series: Series,
    signing_key: Key,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> tuple[Flask, Challenges]:
    """Make the service's application, and the tests that are to be purged now and then.

    Args:
        config: The configuration.
        vision: Examines faces.
        series: Draws prompts.
        signing_key: The service's private key.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    challenges = Challenges(
        vision,
        series,
        name=config.name,
        signing_key=signing_key,
        limits=Limits(
            test_ms=config.test_seconds * 1000,
            prompt_ms=config.prompt_seconds * 1000,
            most_missed=config.most_missed,
        ),
        lifetimes=Lifetimes(
            link_ms=config.link_seconds * 1000,
            attestation_s=config.attestation_seconds,
            recent_s=config.recent_seconds,
            most_open=config.most_open,
        ),
        at_once=config.at_once,
        test_rate=config.test_rate,
        now_ms=now_ms,
    )
    public_key = {name: str(value) for name, value in export_public_jwk(signing_key).items()}
    app = create_routes(
        challenges,
        description=ServiceDescription(
            name=config.name, operator=config.operator, verification_key=public_key
        ),
        public_url=config.public_url,
        capture_ms=round(config.capture_seconds * 1000),
    )
    add_pages(app, operator=config.operator, public_url=config.public_url, signing_key=signing_key)
    limiter = RateLimiter(now_s=lambda: now_ms() / 1000)
    rate = parse_rate(config.caller_rate)

    @app.before_request
    def bound_callers() -> None:
        if request.path.startswith("/challenges"):
            limiter.count(rate, "caller", caller_address())

    return app, challenges
