"""The templates of data cards.

Licence, consent and contact come from the recipe's sources and travel with every sample.
"""
