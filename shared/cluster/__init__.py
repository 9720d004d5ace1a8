"""Several processes that act as one gateway: who they are, and how one asks another."""
