"""Tests of pipeline/cards."""
