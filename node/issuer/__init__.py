"""The issuer's service: residents' accounts and credentials, for one municipality."""
