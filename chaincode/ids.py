"""The grammar of names: accounts, domains, roles, details, peers, hashes, amounts (Iroha 1).

The patterns are irohad's own, letter by letter: it quotes them to whoever breaks them.
"""

import re
from typing import Final

REGISTRY_ACCOUNT: Final = "registry@tegata"
"""The account whose `tg_issuer_` records say who may issue credentials."""

_NAME = r"[a-z_0-9]{1,32}"
_LABEL = r"[a-zA-Z]([a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?"
_DOMAIN = rf"({_LABEL}\.)*{_LABEL}"
_IPV4 = (
    r"(^((([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\.){3}"
    r"([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])))"
)
_PORT = r"(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3}|0)$"

NAME: Final = re.compile(_NAME)
DOMAIN_ID: Final = re.compile(_DOMAIN)
ACCOUNT_ID: Final = re.compile(rf"{_NAME}\@{_DOMAIN}")
ASSET_ID: Final = re.compile(rf"{_NAME}\#{_DOMAIN}")
DETAIL_KEY: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
PUBLIC_KEY: Final = re.compile(r"[A-Fa-f0-9]{1,136}")
SIGNATORY: Final = re.compile(r"[a-f0-9]{1,136}")
"""A public key as the world state holds it."""
HASH_BYTES: Final = 32
HASH: Final = re.compile(r"[A-Fa-f0-9]{64}")
EVM_ADDRESS: Final = re.compile(r"[0-9a-fA-F]{40}")
AMOUNT: Final = re.compile(r"[0-9]+(?:\.[0-9]{0,255})?")
_HEX: Final = re.compile(r"(?:[A-Fa-f0-9]{2})*")
RECORD_ID: Final = re.compile(r"[0-9a-f]{32}")
PEER_ADDRESS: Final = re.compile(rf"({_IPV4}|({_DOMAIN})):{_PORT}", re.ASCII)


def domain_of(account_id: str) -> str:
    """Return the part of an account id behind the `@`."""
    return account_id.partition("@")[2]


def asset_domain_of(asset_id: str) -> str:
    """Return the part of an asset id behind the `#`."""
    return asset_id.partition("#")[2]


def hex_or_nothing(text: str) -> str:
    """Return hex text in lower case, and nothing for any other text, as irohad reads hashes."""
    return text.lower() if _HEX.fullmatch(text) else ""
