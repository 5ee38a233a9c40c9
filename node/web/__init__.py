"""What every HTTP service of a Tegata node shares: the application, its problems, its server."""
