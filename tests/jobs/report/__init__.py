"""Tests of `jobs.report`."""
