"""Finding events by words: what a query means, and how events are ranked by it (docs/search.md)."""
