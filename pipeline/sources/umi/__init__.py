"""Hand-held grippers: UMI sessions, replay buffers and action files, and FastUMI."""
