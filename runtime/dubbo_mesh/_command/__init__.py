"""What commands need besides their work: a terminal, and shell completion."""
