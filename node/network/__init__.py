"""A network of peers, each a ledger node with a CometBFT beside it: its files and processes."""
