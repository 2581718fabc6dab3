"""The bundled loader: exact resume and elastic world size over shards that any WebDataset reader can also read."""
