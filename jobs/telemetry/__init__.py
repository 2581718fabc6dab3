"""What can be seen of a run while it works and afterwards: metrics, its log, the record others follow it by."""
