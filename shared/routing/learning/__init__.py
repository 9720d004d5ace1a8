"""What the outcomes of answers teach about where `auto` should start: an estimate made before is only the prior."""
