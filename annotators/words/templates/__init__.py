"""Caption templates, one text file per language; the file's digest travels with every caption made from it."""
