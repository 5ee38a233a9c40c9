"""HTTP as the SDK speaks it: a client bounded in time and size, addresses, signed requests."""
