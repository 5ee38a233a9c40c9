"""The SDK: what runs at the holder's, the issuer's and the verifier's side."""

from client_sdk.issuer import Issuer as Issuer
from client_sdk.verifier import Verifier as Verifier
from client_sdk.wallet import Wallet as Wallet
