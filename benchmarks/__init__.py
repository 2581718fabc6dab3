"""Measurements: every speed or memory claim in the docs is a ratio printed by one of these scripts."""
