"""What a connection meets: the listener, its filter chain, and who its requests seem to come from."""
