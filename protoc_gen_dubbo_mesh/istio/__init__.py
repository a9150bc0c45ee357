"""The emitter of Istio's resources: how its sidecars route, balance and check calls to applications."""
