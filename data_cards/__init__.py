"""Cards to start from: of public datasets, and an empty one of a shard set.

Licence, consent and contact come from the recipe's sources and travel with every sample.
"""
