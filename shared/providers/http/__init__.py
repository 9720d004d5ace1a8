"""An HTTP/1.1 client for model providers: connections, their pool, and how they are opened."""
