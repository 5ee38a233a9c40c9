"""One authority's signer: holds a share of an issuer's key, and reads each credential it signs."""
