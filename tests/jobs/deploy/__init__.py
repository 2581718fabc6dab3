"""Tests of what clusters are told."""
