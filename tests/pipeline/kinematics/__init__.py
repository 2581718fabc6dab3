"""Tests of robot geometry."""
