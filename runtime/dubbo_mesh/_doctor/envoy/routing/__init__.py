"""Which virtual host and which route a request matches."""
