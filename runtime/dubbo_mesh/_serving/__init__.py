"""Serving: registering servicers, and the life of a server from start to stop."""
