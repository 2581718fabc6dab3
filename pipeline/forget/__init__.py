"""Taking an episode out of a workspace and proving it (docs/forget.md)."""
