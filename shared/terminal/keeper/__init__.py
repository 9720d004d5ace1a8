"""The process that starts a gateway's commands and ends them with everything they started: standard library only."""
