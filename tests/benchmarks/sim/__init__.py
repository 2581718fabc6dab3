"""Tests of the simulated ground truth."""
