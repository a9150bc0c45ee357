"""The emitter of routes in the Gateway API, with Services as their parents (GAMMA)."""
