"""Proxyless mode: the bootstrap, the control plane, and what grpc's own xDS client has from it."""
