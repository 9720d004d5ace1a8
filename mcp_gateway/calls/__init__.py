"""What each tool does with the gateway; imported when the gateway is, since it needs the same heavy parts."""
