"""WACI-DIDComm 1.0: issuing and presenting in DIDComm messages, with today's contents.

The interaction is WACI's: an invitation as a QR code, issue-credential 3.0 and present-proof 3.0.
What the messages carry is OpenID4VCI's and OpenID4VP's, so that the same issuer and verifier code
takes it (docs/waci.md).
"""
