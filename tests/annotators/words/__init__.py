"""Tests of template captions."""
