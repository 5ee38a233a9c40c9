"""A share of a threshold key in a process of the node: made, kept, and signed with."""
