"""An escrow agent: keeps one share of each holder's OPRF key, evaluates with it, never gives it."""
