"""Pure values that every layer speaks in; no I/O and no vendor library."""
