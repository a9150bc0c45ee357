"""What all emitters of YAML share: how text enters YAML, and how their templates are rendered."""
