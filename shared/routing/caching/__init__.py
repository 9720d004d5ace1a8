"""Answers that are kept: the same question of the same caller gets the same answer."""
