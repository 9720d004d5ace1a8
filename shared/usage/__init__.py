"""What answers cost and where it is written down."""
