"""The database and the key-value store."""
