"""Istio's labels and annotations, of which unknown ones are ignored without a word, in the cluster too."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from tests.manifests.checks.definitions import ISTIO
from tests.manifests.checks.json_values import is_mapping

_DOMAIN = "istio.io"
_PROXY_CONFIG = "proxy.istio.io/config"


def problems(metadata: Mapping[str, Any], resource: str, path: str) -> Iterator[str]:
    """Labels and annotations that Istio does not know, or not of this kind of resource.

    Args:
        metadata: of a resource or of a pod.
        resource: what it is of, such as `Pod`.
        path: where it is.
    """
    for kind in ("labels", "annotations"):
        values: Any = metadata.get(kind)
        for key in values if is_mapping(values) else {}:
            prefix = key.partition("/")[0]
            if prefix != _DOMAIN and not prefix.endswith(f".{_DOMAIN}"):
                continue
            allowed = _known(kind).get(key)
            if allowed is None:
                yield f"{path}.{kind}: Istio does not know {key}"
            elif resource not in allowed and "Any" not in allowed:
                yield f"{path}.{kind}: {key} must be on {' or '.join(allowed)}, not on {resource}"
    annotations: Any = metadata.get("annotations")
    if is_mapping(annotations) and _PROXY_CONFIG in annotations:
        for each in _proxy_config_problems(annotations[_PROXY_CONFIG]):
            yield f"{path}.annotations.{_PROXY_CONFIG}: {each}"


@functools.cache
def _known(kind: str) -> Mapping[str, list[str]]:
    """The resources on which each label or annotation may be, by its name; without deprecated ones."""
    folder = kind.removesuffix("s")
    text = (ISTIO.directory() / folder / f"{kind}.yaml").read_text(encoding="utf-8")
    listed = yaml.load(text, yaml.CSafeLoader)[kind]
    return {each["name"]: each["resources"] for each in listed if not each.get("deprecated")}


def _proxy_config_problems(text: str) -> Iterator[str]:
    """What is wrong with a ProxyConfig, which is YAML within a string."""
    try:
        config = yaml.load(text, yaml.CSafeLoader)
        if is_mapping(config):
            json_format.ParseDict(config, _proxy_config()())
        else:
            yield "must be a mapping, as text"
    except (json_format.ParseError, yaml.YAMLError) as error:
        yield " ".join(str(error).partition(" Available Fields")[0].split())


@functools.cache
def _proxy_config() -> type[Message]:
    """Istio's message ProxyConfig, compiled from its proto."""
    root = ISTIO.directory()
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "descriptors.bin"
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"-I{root / 'common-protos'}"]
        options = ["--include_imports", f"--descriptor_set_out={out}", "mesh/v1alpha1/proxy.proto"]
        subprocess.run([*protoc, *options], check=True, timeout=60)
        files = FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("istio.mesh.v1alpha1.ProxyConfig"))
