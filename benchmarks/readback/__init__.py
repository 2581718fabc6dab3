"""Exports read back by the libraries they are for, each in its own environment, against what our loader reads."""
