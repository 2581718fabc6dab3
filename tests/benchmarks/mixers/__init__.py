"""Tests of `benchmarks.mixers`."""
