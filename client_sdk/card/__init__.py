"""The My Number card: reading its attributes and portrait, and proving that it is there.

The individual number is never read. Numbers of files are those of `docs/my-number-card.md`.
"""
