"""Runs the resources on a request as Envoy does."""
