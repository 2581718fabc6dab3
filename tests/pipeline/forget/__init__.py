"""Tests of what takes an episode out and proves it."""
