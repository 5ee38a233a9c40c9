"""The issuer's role: signing and anchoring, its authorities, and the client of its service."""

from client_sdk.issuer.issuer import Issuer as Issuer
from client_sdk.issuer.issuer import register_issuer as register_issuer
