"""The custom options that protos may carry: `dubbo_mesh/v1/options.proto`."""
