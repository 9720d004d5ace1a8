"""What makes an answer better, or shows that it is not good enough: checks, agreement, escalation."""
