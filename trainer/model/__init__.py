"""The network: Wan-compatible video tower, cross-view branch, action tower, and their one-way coupling."""
