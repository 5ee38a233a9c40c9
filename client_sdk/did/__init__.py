"""Decentralized identifiers (DID Core 1.0): documents, and the methods that Tegata resolves."""
