"""What a wallet keeps, by kind of record, each in the form that it has in the wallet's vault."""

from client_sdk.wallet.records.account import LedgerAccount as LedgerAccount
from client_sdk.wallet.records.credential import StoredCredential as StoredCredential
from client_sdk.wallet.records.grant import StoredGrant as StoredGrant
from client_sdk.wallet.records.issuance import StoredIssuance as StoredIssuance
from client_sdk.wallet.records.presentation import StoredPresentation as StoredPresentation
from client_sdk.wallet.records.refresh import StoredRefresh as StoredRefresh
