"""The holder's wallet, in parts: credentials and consent, escrow, recovery, the account's guard."""

from client_sdk.wallet.history import HistoryEntry as HistoryEntry
from client_sdk.wallet.ledger_watch import HeaderSources as HeaderSources
from client_sdk.wallet.presentation import Answer as Answer
from client_sdk.wallet.presentation import PreparedAnswer as PreparedAnswer
from client_sdk.wallet.session import WalletSession as WalletSession
from client_sdk.wallet.wallet import Wallet as Wallet
