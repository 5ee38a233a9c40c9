"""The parts of Tegata and what flows between them, as a pytm model: steps 1 to 3.

Names are those of docs/glossary.md. `threats.toml` says which threats stand against which part.
"""

from typing import Final

from pytm import TM, Actor, Boundary, Dataflow, Datastore, ExternalEntity, Server

_PARTS: Final[dict[str, tuple[str, tuple[tuple[type, str], ...]]]] = {
    "resident": (
        "Resident",
        (
            (Actor, "holder"),
            (Server, "wallet"),
            (Datastore, "wallet file"),
            (ExternalEntity, "My Number card"),
        ),
    ),
    "city": (
        "City",
        (
            (Actor, "clerk"),
            (Server, "issuer"),
            (Datastore, "issuer database"),
            (Server, "authority"),
            (Server, "card reader"),
        ),
    ),
    "verifier": ("Verifier", ((Actor, "verifier"),)),
    "gateway": ("Gateway operator", ((Server, "gateway"), (Datastore, "gateway database"))),
    "ledger": (
        "Ledger operators",
        (
            (Server, "ledger node"),
            (Datastore, "chain"),
            (Server, "read replica"),
            (Server, "operator's page"),
            (Actor, "registrar"),
        ),
    ),
    "escrow": (
        "Agent operator",
        ((Server, "escrow agent"), (Datastore, "agent database")),
    ),
    "face": ("Face service operator", ((Server, "face service"),)),
}
_FLOWS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("holder", "wallet", "passphrase, consent", "keyboard and screen"),
    ("wallet", "wallet file", "keys, credentials, grants, sealed", "file"),
    ("wallet", "My Number card", "PIN, challenge; certificate, signature", "APDU"),
    ("clerk", "issuer", "attributes, revocations", "HTTPS, token"),
    ("clerk", "card reader", "nonce, password; a card's proof", "HTTP on the desk's machine"),
    ("card reader", "My Number card", "password, challenge; certificate, signature", "APDU"),
    ("wallet", "issuer", "key proofs; credentials", "OpenID4VCI over HTTPS"),
    ("issuer", "issuer database", "offers, status indices", "SQL"),
    ("issuer", "authority", "what is to be signed; a share of the signature", "HTTPS, FROST"),
    ("issuer", "ledger node", "salted hashes, states", "Torii gRPC"),
    ("verifier", "gateway", "questions; results", "HTTPS, API key"),
    ("wallet", "gateway", "a presentation, sealed", "OpenID4VP over HTTPS"),
    ("gateway", "gateway database", "requests, results until they are read", "SQL"),
    ("gateway", "ledger node", "receipts; records", "Torii gRPC"),
    ("gateway", "issuer", "status lists, whole", "HTTPS"),
    ("wallet", "ledger node", "grants, guard; receipts", "Torii gRPC"),
    ("registrar", "ledger node", "registrations of issuers", "Torii gRPC, several signatures"),
    ("operator's page", "ledger node", "queries that change nothing", "Torii gRPC"),
    ("ledger node", "chain", "blocks, state", "file"),
    ("ledger node", "read replica", "blocks", "gRPC"),
    ("wallet", "escrow agent", "shares, sealed backups, blinded guesses", "HTTPS, signed requests"),
    ("escrow agent", "agent database", "shares, backups, attempts", "SQL"),
    ("escrow agent", "ledger node", "recoveries, signed together", "Torii gRPC"),
    ("wallet", "face service", "a portrait, what it is for; an attestation", "HTTPS"),
    ("holder", "face service", "pictures of a face", "HTTPS, a browser's camera"),
    ("issuer", "face service", "a portrait; an attestation", "HTTPS"),
)


def build_model(threats_file: str) -> TM:
    """Return the model; pytm keeps its parts in one place, so it is reset first.

    Args:
        threats_file: The threats in pytm's form.
    """
    TM.reset()
    model = TM(
        "Tegata",
        description="A resident shows one attribute, to one verifier, for one purpose.",
        threatsFile=threats_file,
    )
    parts = {}
    for title, members in _PARTS.values():
        boundary = Boundary(title)
        for kind, name in members:
            parts[name] = kind(name, inBoundary=boundary)
    for source, sink, data, protocol in _FLOWS:
        Dataflow(parts[source], parts[sink], data, protocol=protocol)
    return model


def part_names() -> tuple[str, ...]:
    """Return the names of all parts, in the order of the model."""
    return tuple(name for _, members in _PARTS.values() for _, name in members)


def boundaries() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each trust boundary with the names of the parts inside it."""
    return tuple((title, tuple(name for _, name in members)) for title, members in _PARTS.values())


def flows() -> tuple[tuple[str, str, str, str], ...]:
    """Return each flow: source, sink, what flows, and how."""
    return _FLOWS
