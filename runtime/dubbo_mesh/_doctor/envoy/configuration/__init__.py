"""The configuration of an Envoy, from the answers of its admin endpoint or from files."""
