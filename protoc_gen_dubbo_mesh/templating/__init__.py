"""Templates: jinja2 compiles them ahead of time to plain functions, which run without jinja2.

A room is the package of an emitter, such as `python` or `istio`: its templates are in `templates/<room>/`,
and the functions in `<room>/compiled_templates.py`. What is particular to a language is in a `Dialect`.
"""
