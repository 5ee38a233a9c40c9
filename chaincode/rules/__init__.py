"""The stateful rule of each command: what it reads, what it checks, what it writes."""
