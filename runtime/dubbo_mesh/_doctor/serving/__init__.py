"""This application's own servers: health, probes, reflection, shutdown (DM4xx)."""
