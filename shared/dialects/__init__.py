"""Ways of asking for a chat beside OpenAI's chat completions: each translated to that form, and its answers back."""
