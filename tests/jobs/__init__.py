"""Tests of floor 5: runs as a user starts them."""
