"""Tests of the scores: each metric against what its definition says, by hand or by brute force."""
