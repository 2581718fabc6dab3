"""Joinery at sizes nobody here can film: the real code on made-up metadata, and what follows (docs/scaling.md)."""
