"""OpenAI's Responses API as clients ask it: requests to chats, answers and streams back. Pure."""
