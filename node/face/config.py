"""The face service's configuration: one TOML file."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from client_sdk.errors import RequestError
from client_sdk.face.attestation import MAX_RECENT_SECONDS, MAX_SECONDS
from client_sdk.http.endpoint_url import parse_endpoint
from node.config import ConfigPath, ProcessConfig
from node.web.rate_limit import Rate


def _endpoint(text: str) -> str:
    try:
        return parse_endpoint(text.rstrip("/"), "public_url")
    except RequestError as error:
        raise ValueError(str(error)) from None


class FaceConfig(ProcessConfig):
    """`face.toml`. Relative paths are taken from the file's folder. There is no database.

    Attributes:
        name: What attestations name as their issuer; those who trust this service know it so.
        operator: Who runs it, as the person before the camera is told.
        public_url: Where applications and browsers reach it; https, or http on this machine.
        listen: `host:port` to bind; port 0 takes any free one.
        signing_key_file: The service's private JWK.
        link_seconds: How long a test that nobody has begun can be begun.
        test_seconds: How long a test that was begun lasts.
        prompt_seconds: How long the frames of one prompt may take, from the prompt on.
        capture_seconds: How long the camera is watched for each prompt.
        most_missed: How many prompts may be missed; each costs a new one in its place, and one
            more at the end.
        attestation_seconds: How long the word for one request is good.
        recent_seconds: How long the word for a key is good.
        detector: What the deepfake detector's word does: nothing (`off`), a line in the log
            (`advice`), or a refusal.
        detector_threshold: From which score on, 0 to 1, it gives that word.
        most_open: How many tests there are at the same time at most.
        at_once: How many are worked on at the same time; more than there are cores only wait.
        test_rate: How many tests one portrait may have: so often can a stranger try.
        caller_rate: How often one address may call.
        metrics: `host:port` where Prometheus finds `/metrics`; nowhere where it is left out.
        trusted_proxy: The address of the proxy whose `X-Forwarded-For` tells who calls; None where
            callers reach this service themselves.
    """

    environment_prefix = "TEGATA_FACE_"

    name: str = Field(min_length=1, max_length=300)
    operator: str = Field(min_length=1, max_length=100)
    public_url: Annotated[str, AfterValidator(_endpoint)]
    listen: str = "127.0.0.1:8083"
    signing_key_file: ConfigPath = Path("keys/signing.jwk")
    link_seconds: int = Field(default=600, ge=10, le=3600)
    test_seconds: int = Field(default=60, ge=20, le=300)
    prompt_seconds: int = Field(default=8, ge=4, le=30)
    capture_seconds: float = Field(default=3.0, ge=1.0, le=10.0)
    most_missed: int = Field(default=1, ge=0, le=10)
    attestation_seconds: int = Field(default=180, ge=10, le=MAX_SECONDS)
    recent_seconds: int = Field(default=3600, ge=60, le=MAX_RECENT_SECONDS)
    detector: Literal["off", "advice", "refusal"] = "advice"
    detector_threshold: float = Field(default=0.9, gt=0, le=1)
    most_open: int = Field(default=200, ge=1, le=10_000)
    at_once: int = Field(default=2, ge=1, le=64)
    test_rate: Rate = "10/hour"
    caller_rate: Rate = "300/minute"
    metrics: str | None = None
    trusted_proxy: str | None = None
