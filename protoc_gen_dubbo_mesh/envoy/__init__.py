"""The emitter of static bootstrap configurations for plain Envoys, without Kubernetes or a control plane."""
