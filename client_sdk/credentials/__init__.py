"""The formats: SD-JWT (RFC 9901), SD-JWT VC, and the resident credential."""
