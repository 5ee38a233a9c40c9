"""Threshold signatures: t of n participants sign under one Ed25519 key that none of them holds.

Signing is FROST (RFC 9591). Keys come from distributed key generation; shares can be refreshed,
dealt anew to other participants, and repaired one by one.
"""
