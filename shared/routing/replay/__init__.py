"""How requests were decided, kept and decided again under another policy."""
