"""What Envoy is told and asked, through its admin endpoint."""
