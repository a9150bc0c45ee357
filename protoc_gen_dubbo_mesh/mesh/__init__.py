"""The applications of a run and how calls to them are routed: what all emitters of YAML have in common."""
