"""Tests of proposals from pictures."""
