"""Tests of pseudo-actions."""
