"""Tests of what fingers and tools say."""
