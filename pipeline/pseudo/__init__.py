"""Actions nobody measured: what pictures alone say about hands. Off unless a source asks, and never called measured."""
