"""Faults put into real runs on a real Ray cluster, and what was lost, doubled or changed by them (docs/faults.md)."""
