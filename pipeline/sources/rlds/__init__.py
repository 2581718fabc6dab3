"""RLDS: TFDS episodes in TFRecord shards, read without TensorFlow."""
