"""Runs protoc and the plugin over a project's protos: the command `generate` and the build hooks.

Nothing here is imported when protoc starts the plugin. From the outside in:

    generate, arguments, hooks             the entry points, which report the result
    run                                    updates the output directory, or lists how it is stale
    settings, sources, plugins             the configuration; the protos; further plugins
    production, protoc, message_imports    generates all files, in a temporary directory
    stamp, tree                            whether anything has changed since the last run; which files differ
    ownership                              which of these files may be replaced
    paths                                  paths and their text, in any locale
"""
