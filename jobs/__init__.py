"""Floor 5: the CLI, executors, the run ledger, progress and reports; the only place that imports ray."""
