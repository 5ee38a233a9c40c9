"""The wallet's page: a resident's own process, which keeps the keys and shows what they are for."""
