"""What generated modules and the plugin share with the runtime. Imports no other package of the runtime.

The plugin is released separately and accepts a range of versions of the runtime. Within that range, names
that the plugin imports from here can be added, but neither renamed nor removed.
"""
