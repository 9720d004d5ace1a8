"""The dashboard: a page for people on the same REST API that programs use."""
