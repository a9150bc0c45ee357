"""What an Envoy's configuration says, by Envoy's own rules. It knows nothing of findings.

Everything is read from JSON that a peer or a file gave, so nothing relies on its being well-formed.
"""
