"""Tests of the sizing of corpora."""
