"""The command line, `tegata`: one group of commands for each of its users."""
