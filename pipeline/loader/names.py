"""Names of the files that say what and where a shard set is."""

MANIFEST = "manifest.parquet"
STATS = "stats.json"
SET = "set.json"
LATEST = "latest.json"
REPLACED = "replaced.json"
"""In the folder of a set that is no more: which one is there in its place, and why."""
