"""Protection against loss: a backup that any t of n agents help to open, and none can read."""
