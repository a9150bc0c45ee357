"""The emitter of Kubernetes manifests: a Service, and a patch for the Deployment, for each application."""
