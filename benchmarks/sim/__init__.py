"""Simulated episodes whose contacts, and so whose boundaries, are known exactly (docs/sim_truth.md)."""
