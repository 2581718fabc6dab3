"""Tests of the servers a run starts for itself."""
