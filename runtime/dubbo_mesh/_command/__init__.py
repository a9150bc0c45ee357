"""What all commands share: standard output and error, and shell completion."""
