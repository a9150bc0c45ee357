"""Dubbo's routing rules, translated to Istio's, and both compared.

The layout follows the data flow. `reading` makes the `model` of files. `interpreting` says what it means to
one version of Dubbo (`dialects`), as `stages`. `deciding` runs the stages on a request as Dubbo does.
`expressing` writes them as Istio's `resources`, and `simulating` runs those on the same request as Envoy
does. `reporting` shows both beside the verdicts on each line.
"""
