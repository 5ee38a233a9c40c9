"""Message classes of the wire and of the state, generated from the .proto files (`make proto`)."""
