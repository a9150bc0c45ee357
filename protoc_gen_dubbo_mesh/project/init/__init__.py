"""`protoc-gen-dubbo-mesh init`: finds out what is in a project, and writes minimal settings for it."""
