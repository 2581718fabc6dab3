"""How files of many formats become arrays and records: HDF5, zarr, TFRecord, NPZ, CSV, JSON, always bounded."""
