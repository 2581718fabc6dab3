"""Tests of the made-up recordings."""
