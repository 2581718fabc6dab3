"""Tests mirror the tree and read as its specification."""
