"""Tests of closed-loop evaluation."""
