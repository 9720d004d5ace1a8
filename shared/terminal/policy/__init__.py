"""The command policy: what a command line would run, and what the operator's rules say of it."""
