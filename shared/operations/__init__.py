"""What the gateway can do, one value for each, and the one door to them."""
