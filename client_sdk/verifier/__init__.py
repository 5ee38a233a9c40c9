"""The verifier's role: verifying an answer, and the clients of a gateway that asks for one."""

from client_sdk.verifier.verifier import Verifier as Verifier
