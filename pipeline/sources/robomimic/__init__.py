"""robomimic and robosuite HDF5 demonstrations."""
