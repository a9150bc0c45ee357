"""Regular expressions as Envoy's RE2 has them."""
