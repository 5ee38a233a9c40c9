"""The two rounds of signing, as a service answers them: nonces in memory, each used once."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from client_sdk.errors import FrostFormatError, NonceUsedError
from client_sdk.frost.keys import MAX_PARTICIPANTS, KeyShare
from client_sdk.frost.signing import (
    SignatureShare,
    SigningCommitment,
    SigningNonces,
    SigningPackage,
    commit,
    sign_share,
)
from node.errors import ApiError

SESSION_SECONDS: Final = 60.0
MAX_OPEN_SESSIONS: Final = 1024


class CommitmentFields(BaseModel):
    """What a signer said in round one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identifier: int = Field(ge=1, le=MAX_PARTICIPANTS)
    hiding: str = Field(max_length=43, description="32 bytes in base64url.")
    binding: str = Field(max_length=43, description="32 bytes in base64url.")


class OpenedSession(BaseModel):
    """A signature that was begun."""

    model_config = ConfigDict(frozen=True)

    session: str
    commitment: CommitmentFields


class SignatureShareFields(BaseModel):
    """This signer's part of a signature."""

    model_config = ConfigDict(frozen=True)

    identifier: int
    value: str = Field(description="32 bytes in base64url.")


class SigningRounds:
    """One holder's open signatures. A session ends with its answer, by time, or with the process.

    Nothing of a session is on disk: after a crash there is nothing to sign with a second time.
    """

    def __init__(self, share: KeyShare, *, now_s: Callable[[], float] = time.monotonic) -> None:
        """Sign with a share.

        Args:
            share: The holder's share.
            now_s: A clock that only goes forward, in seconds.
        """
        self._share = share
        self._now_s = now_s
        self._lock = threading.Lock()
        self._open: dict[str, tuple[float, SigningNonces]] = {}

    def begin(self) -> tuple[str, SigningCommitment]:
        """Return a new session's name and this signer's commitment in it."""
        session, nonces = secrets.token_urlsafe(16), commit(self._share)
        with self._lock:
            self._forget_old()
            self._open[session] = (self._now_s() + SESSION_SECONDS, nonces)
        return session, nonces.commitment

    def finish(
        self, session: str, payload: bytes, commitments: Sequence[CommitmentFields]
    ) -> SignatureShare:
        """Return this signer's part, and end the session, whatever comes of it.

        The caller has read the payload and agrees to it.

        Raises:
            ApiError: There is no such session, or the commitments do not fit this signer and key.
        """
        with self._lock:
            self._forget_old()
            opened = self._open.pop(session, None)
        if opened is None:
            raise ApiError(
                409,
                "unknown_session",
                "There is no such signing session",
                "It was answered, has ended, or was lost when this signer restarted. Begin again: "
                "no session is answered twice.",
            )
        try:
            package = SigningPackage(
                payload=payload,
                commitments=tuple(
                    SigningCommitment.from_fields(each.model_dump()) for each in commitments
                ),
            )
            return sign_share(self._share, opened[1], package)
        except (FrostFormatError, NonceUsedError) as error:
            raise ApiError(
                422,
                "invalid_signing_package",
                "The commitments do not fit",
                f"{error}. Begin again, with the commitments as each signer gave them.",
            ) from None

    def _forget_old(self) -> None:
        now_s = self._now_s()
        ended = [session for session, (until_s, _) in self._open.items() if until_s <= now_s]
        # The oldest make room: whoever opens without end locks nobody out for long.
        oldest = [*self._open][: max(0, len(self._open) - MAX_OPEN_SESSIONS + 1)]
        for session in {*ended, *oldest}:
            _, nonces = self._open.pop(session)
            nonces.wipe()
