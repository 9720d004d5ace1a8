"""The Anthropic Messages dialect, translated to and from the canonical form."""
