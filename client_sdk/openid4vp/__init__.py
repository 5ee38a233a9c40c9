"""OpenID for Verifiable Presentations 1.0: requests, DCQL, grant offers, certificates."""
