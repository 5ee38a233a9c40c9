"""The story of one attribute, told with real processes on this machine."""
