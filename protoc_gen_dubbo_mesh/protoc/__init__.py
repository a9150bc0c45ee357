"""Talks to protoc and buf: the request, with the comments and lines of its protos, and the response."""
