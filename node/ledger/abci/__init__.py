"""The replicated mode: the ledger as an ABCI 2.0 application under CometBFT."""
