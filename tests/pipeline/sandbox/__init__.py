"""Tests of the process that source files are opened in."""
