"""Reports what is configured for services and rpcs, where, and what a mesh does with it, as text or JSON."""
