"""Sessions on other machines over SSH; the only package that knows asyncssh."""
