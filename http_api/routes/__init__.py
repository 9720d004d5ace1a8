"""The route tables, one file a subject."""
