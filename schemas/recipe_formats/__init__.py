"""The recipe's section of each source format, one file per format, named as the format is."""
