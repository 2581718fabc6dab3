"""Source files are opened in a process of their own that can do nothing else (docs/security.md)."""
