"""The ledger node: an Iroha-1-compatible gate (Torii), ordering, and crash-safe storage."""
