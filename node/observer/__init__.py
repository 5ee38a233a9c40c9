"""The operator's page: a process that reads a ledger as anybody with the right to may, and shows it."""
