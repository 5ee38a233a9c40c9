"""The face test: its prompts, what it attests, and the client of the service that makes it."""

from client_sdk.face.attestation import (
    FaceAttestation,
    verify_attestation,
    verify_recent_attestation,
)
from client_sdk.face.capture import CaptureSource, run_test
from client_sdk.face.client import CapturedFrame, FaceClient, NewTest, StartedTest, TestState
from client_sdk.face.portrait import PortraitOpening
from client_sdk.face.prompts import Prompt

__all__ = [
    "CaptureSource",
    "CapturedFrame",
    "FaceAttestation",
    "FaceClient",
    "NewTest",
    "PortraitOpening",
    "Prompt",
    "StartedTest",
    "TestState",
    "run_test",
    "verify_attestation",
    "verify_recent_attestation",
]
