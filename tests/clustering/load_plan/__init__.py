"""Tests of embeddings, clusters, balance and the order of draws."""
