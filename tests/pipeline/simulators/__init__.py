"""Tests of tasks in simulators."""
