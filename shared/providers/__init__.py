"""The model providers: how each is reached and how its wire looks."""
