"""The operator's page: a process that reads a ledger as any account may, and shows it."""
