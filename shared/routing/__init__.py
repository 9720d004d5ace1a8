"""From a chat request to the models that are tried for it, and the walk through them."""
