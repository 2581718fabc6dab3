"""Tests of the reference trainer (floor 4)."""
