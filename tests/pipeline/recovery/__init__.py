"""Tests of targeted recovery."""
