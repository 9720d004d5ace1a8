"""The commands, one file a group. Each imports what it needs when it runs, so that help comes at once."""
