"""Where the face test is built and measured: its networks, rendered clips, error rates.

Nothing of it is installed with the node. `make face-models`, `make face-train`, `make face-eval`.
"""
