"""Simulated episodes whose contacts, and so whose boundaries, are known exactly."""
