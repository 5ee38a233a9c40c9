"""The rules of the identity records, one module for each kind."""
