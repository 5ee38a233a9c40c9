"""What an operator runs: ledger node, gateway, issuer and the command line."""
