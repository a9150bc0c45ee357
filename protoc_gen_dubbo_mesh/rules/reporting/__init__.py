"""Shows verdicts and decisions, as text and as JSON."""
