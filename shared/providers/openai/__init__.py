"""The OpenAI chat-completions dialect, which is also the canonical form."""
