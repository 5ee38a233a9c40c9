"""Measurements of Tegata beside its peers and the machine's floor: `python -m benchmarks`."""
