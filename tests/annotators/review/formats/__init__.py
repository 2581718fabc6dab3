"""Tests of `annotators.review`."""
