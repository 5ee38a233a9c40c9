"""Signing and verifying for the ledger, beside libsodium alone."""

from collections.abc import Iterator, Sequence
from functools import partial

from nacl.signing import SigningKey

from benchmarks.figures import Figure, Step, Unit, best_microseconds
from chaincode.signatures import KeyAlgorithm, verify_signature
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail

_NAMES = {
    KeyAlgorithm.ED25519_SHA2: "ed25519-sha2",
    KeyAlgorithm.ED25519_SHA3: "ed25519-sha3",
}


def signature_steps() -> Sequence[Step]:
    """Return what is measured here."""
    return [
        Step(name=f"sign and verify {name}", take=partial(_take, algorithm))
        for algorithm, name in _NAMES.items()
    ]


def _take(algorithm: KeyAlgorithm) -> Iterator[Figure]:
    key = AccountKey.generate(algorithm)
    payload = _payload(key)
    signature = key.sign(payload)
    bare_key = SigningKey.generate()
    signed = bare_key.sign(payload)
    verify_key = bare_key.verify_key
    pairs = {
        "verify": (
            lambda: verify_signature(
                public_key=key.public_key, signature=signature, payload=payload
            ),
            lambda: verify_key.verify(payload, signed.signature),
        ),
        "sign": (lambda: key.sign(payload), lambda: bare_key.sign(payload)),
    }
    for verb, (ours, bare) in pairs.items():
        taken = best_microseconds({"ours": ours, "libsodium": bare})
        yield Figure(
            group="signatures",
            name=f"{verb} {_NAMES[algorithm]}",
            unit=Unit.MICROSECONDS,
            value=taken["ours"],
            peers={"libsodium Ed25519": taken["libsodium"]},
        )


def _payload(key: AccountKey) -> bytes:
    """Return the payload of a transaction that writes one record."""
    with LedgerClient("127.0.0.1:1", "benchmark@holder", key) as client:
        command = set_account_detail("benchmark@holder", "tg_grant_" + "0" * 32, "x" * 200)
        return client.build_transaction(command).payload.SerializeToString()
