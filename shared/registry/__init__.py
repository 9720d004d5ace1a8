"""Which models exist, in which layer, in which order, on or off."""
