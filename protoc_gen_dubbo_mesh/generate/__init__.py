"""Runs protoc and the plugin over a project's protos: the command `generate` and the build hooks.

Nothing here is imported when protoc starts the plugin. From the outside in:

    command, hatch_hook, setuptools_hook   who asks, and how they are told what came of it
    run                                    makes a tree agree with its protos, or says how it differs
    settings, sources                      what is asked for; which protos there are
    production, protoc, message_imports    makes the files, in a directory of their own
    stamp, tree                            whether anything changed; what, file by file
"""
