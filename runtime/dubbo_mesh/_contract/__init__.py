"""What generated modules and the plugin share with the runtime. Imports no other package of the runtime.

The plugin is released separately and accepts a range of versions of the runtime. Within that range, names
that the plugin imports from here can be added, but neither renamed nor removed.
"""

import logging

# Every package of the runtime imports this one, so this is the first line of ours that runs before any logs.
# Without a handler of its own Python would print a library's warnings to stderr, whatever the application
# wants to do with them (Python docs: "Configuring Logging for a Library").
logging.getLogger("dubbo_mesh").addHandler(logging.NullHandler())
