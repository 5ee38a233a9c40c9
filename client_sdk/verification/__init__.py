"""The steps of verifying a presentation; `client_sdk.verifier` takes them."""
