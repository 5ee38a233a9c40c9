"""The gateway: verifiers ask over HTTP, wallets answer with OpenID4VP, the ledger has the word."""
