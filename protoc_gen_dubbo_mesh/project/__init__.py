"""Runs protoc and the plugin over a project's protos: the command `generate` and the build hooks.

Nothing here is imported when protoc starts the plugin. From the outside in:

    generate, watch, hooks                 the entry points, which report the result
    explain, init                          further commands for projects
    arguments, settings                    the settings, from the command line and pyproject.toml
    run                                    updates the output directory, or lists how it is stale
    sources, walk, plugins                 the protos; further plugins
    production, protoc, message_imports    generates all files, in a temporary directory
    stamp, tree                            whether anything changed since the last run; which files differ
    ownership                              which of these files may be replaced
    placing, typed                         where modules go in a wheel, and which packages are marked typed
    policies, parameter_places             what is configured for the services, and where, for `explain`
    paths, progress                        paths in any locale; progress on a terminal
"""
