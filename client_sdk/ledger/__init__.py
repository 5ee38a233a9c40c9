"""An account on the ledger: its key, its commands, the client of Torii, the grants it makes."""
