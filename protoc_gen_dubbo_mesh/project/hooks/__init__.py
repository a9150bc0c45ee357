"""The build hooks: they run `generate` in the builds of Hatchling and setuptools."""
