"""The sub-commands of `protoc-gen-dubbo-mesh rules`."""
