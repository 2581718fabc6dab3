"""Floor 2: sources, filmstrip, sync, clean, store, shards, loader. Knows no cluster and no caption by meaning."""
