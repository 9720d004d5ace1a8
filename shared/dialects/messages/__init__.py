"""Anthropic's Messages API as clients ask it: requests to OpenAI's form, answers and streams back. Pure."""
