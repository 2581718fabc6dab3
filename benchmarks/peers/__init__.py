"""Our loader beside LeRobot, WebDataset, litData and mosaicml-streaming on the same events (docs/peers.md)."""
