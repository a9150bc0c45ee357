"""Timeouts and retries: what stubs ask for, and what they get (DM3xx)."""
