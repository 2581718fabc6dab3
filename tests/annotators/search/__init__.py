"""Tests of `annotators.search`."""
