"""Floor 3: embeddings, clusters, dedup and balance. Opens no source format."""
