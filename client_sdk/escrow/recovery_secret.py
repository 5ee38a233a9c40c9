"""What only the holder knows or has: a password, or the secret of a passkey.

The sources' rule (8 characters, digits, upper and lower case) is the floor. Above it the estimate
of how many guesses an attacker needs decides (zxcvbn, Wheeler 2016), never a rule on length or
kind of characters.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from zxcvbn_rs_py import zxcvbn

from client_sdk.errors import WeakPasswordError

MIN_CHARS: Final = 8
MAX_BYTES: Final = 4096
MIN_SCORE: Final = 3
"""zxcvbn's: 3 is at least 10^8 guesses. The agents give about 15 of them (`guesses_bound`)."""
PRF_BYTES: Final = 32
_ESTIMATED_CHARS: Final = 100
_ADVICE: Final = "Take several words that do not go together."
_PASSWORD: Final = b"\x01"
_PASSKEY: Final = b"\x02"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeySecret:
    """The 32 bytes that a passkey gives by WebAuthn's PRF extension (Level 3, section 10.1.4).

    Attributes:
        output: The extension's first result. Evaluate it on an input of your own, such as
            `tegata-recovery`; the same passkey gives the same result.
    """

    output: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.output) != PRF_BYTES:
            raise WeakPasswordError(f"a passkey's PRF gives {PRF_BYTES} bytes")


RecoverySecret: TypeAlias = "str | PasskeySecret"


def encode_secret(secret: RecoverySecret) -> bytes:
    """Return the bytes that go into the OPRF; a password's in Unicode NFC.

    Raises:
        WeakPasswordError: A password of more than 4,096 bytes, or no Unicode text.
    """
    match secret:
        case PasskeySecret():
            return _PASSKEY + secret.output
        case str():
            try:
                encoded = unicodedata.normalize("NFC", secret).encode("utf-8")
            except UnicodeEncodeError:
                raise WeakPasswordError("the password is not Unicode text") from None
            if len(encoded) > MAX_BYTES:
                raise WeakPasswordError(f"a password has at most {MAX_BYTES} bytes in UTF-8")
            return _PASSWORD + encoded


def validate_strength(secret: RecoverySecret, *, known_words: Sequence[str] = ()) -> None:
    """Refuse a password that is too easily guessed. A passkey's secret is random.

    Args:
        secret: The password.
        known_words: What others know of the holder, such as the name; it counts as guessed.

    Raises:
        WeakPasswordError: The text says what to do better.
    """
    if isinstance(secret, PasskeySecret):
        return
    encode_secret(secret)
    missing = [
        name
        for name, is_there in (
            (f"{MIN_CHARS} characters", len(secret) >= MIN_CHARS),
            ("a digit", any(char.isdigit() for char in secret)),
            ("an upper-case letter", any(char.isupper() for char in secret)),
            ("a lower-case letter", any(char.islower() for char in secret)),
        )
        if not is_there
    ]
    if missing:
        raise WeakPasswordError(f"the password needs {', '.join(missing)}")
    # Long passwords are strong by their beginning, and the estimate takes time that grows fast.
    estimate = zxcvbn(secret[:_ESTIMATED_CHARS], list(known_words))
    if int(estimate.score) < MIN_SCORE:
        feedback = estimate.feedback
        advice = "" if feedback is None else ". ".join(str(item) for item in feedback.suggestions)
        raise WeakPasswordError(f"the password is too easily guessed. {advice or _ADVICE}")
