"""Local, SSH and telnet sessions, their output and their processes."""
