"""`x-forwarded-client-cert`: Envoy's grammar, and whatever else may stand in the header."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubbo_mesh import ClientCert
from dubbo_mesh._context.client_cert import parse_xfcc

# From Envoy's documentation of the header, and from a mesh of Istio's.
EXAMPLES = {
    "By=http://frontend.lyft.com;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688;"
    'Subject="/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client";URI=http://testclient.lyft.com': (
        ClientCert(
            by=("http://frontend.lyft.com",),
            hash="468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688",
            subject="/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client",
            uri=("http://testclient.lyft.com",),
        ),
    ),
    "By=spiffe://cluster.local/ns/a/sa/b;Hash=ab;URI=spiffe://cluster.local/ns/c/sa/d,"
    "By=spiffe://cluster.local/ns/e/sa/f;Hash=cd;URI=spiffe://cluster.local/ns/a/sa/b": (
        ClientCert(
            by=("spiffe://cluster.local/ns/a/sa/b",), hash="ab", uri=("spiffe://cluster.local/ns/c/sa/d",)
        ),
        ClientCert(
            by=("spiffe://cluster.local/ns/e/sa/f",), hash="cd", uri=("spiffe://cluster.local/ns/a/sa/b",)
        ),
    ),
    "Hash=ab;URI=u;DNS=one.example;DNS=two.example": (
        ClientCert(hash="ab", uri=("u",), dns=("one.example", "two.example")),
    ),
    r'Subject="CN=\"quoted\", O=a;b=c\\d"': (ClientCert(subject=r'CN="quoted", O=a;b=c\d'),),
    'Cert="-----BEGIN%20CERTIFICATE-----";Chain="chain"': (
        ClientCert(cert="-----BEGIN%20CERTIFICATE-----", chain="chain"),
    ),
    'Hash=ab;Subject="";URI=': (ClientCert(hash="ab"),),
    "hash=ab ; uri=u , hash=cd": (ClientCert(hash="ab", uri=("u",)), ClientCert(hash="cd")),
    "Hash=ab;Unknown=x": (ClientCert(hash="ab"),),
    "": (),
}


@pytest.mark.parametrize(("header", "certs"), EXAMPLES.items())
def test_what_envoy_writes(header: str, certs: tuple[ClientCert, ...]) -> None:
    assert parse_xfcc(header) == certs


@pytest.mark.parametrize(
    "header",
    [
        "Hash",
        "=ab",
        "Hash=ab,",
        "Hash=ab;",
        ",Hash=ab",
        "Hash=ab;;URI=u",
        'Subject="CN=x',
        'Subject="CN=x"y',
        'Hash=a"b',
        'Hash=ab,Subject="unfinished',
        "Hash=ab,\0=1",
        "Hash=" + "a" * 70_000,
    ],
)
def test_of_a_malformed_header_nothing_is_believed(header: str) -> None:
    assert parse_xfcc(header) == ()


@given(st.text())
def test_any_text_is_read_without_error(header: str) -> None:
    for cert in parse_xfcc(header):
        assert isinstance(cert, ClientCert)


@given(st.text(alphabet='By=;,"\\ URIa'))
def test_any_text_of_the_grammars_own_characters_too(header: str) -> None:
    parse_xfcc(header)


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))


@given(st.lists(st.tuples(VALUES, st.lists(VALUES, max_size=3)), min_size=1, max_size=4))
def test_no_value_can_pose_as_another_field_or_element(elements: list[tuple[str, list[str]]]) -> None:
    header = ",".join(
        ";".join([f"Subject={quoted(subject)}", *(f"URI={quoted(uri)}" for uri in uris)])
        for subject, uris in elements
    )
    assert parse_xfcc(header) == tuple(
        ClientCert(subject=subject or None, uri=tuple(uri for uri in uris if uri))
        for subject, uris in elements
    )


@pytest.mark.parametrize(
    "header",
    [
        "a=" + " " * 60_000 + '"',
        " " * 60_000,
        'a="' + "\\" * 60_000,
        'a="' + '\\"' * 30_000,
        "a=" * 30_000,
        "a=;" * 20_000,
        "a=b," * 15_000 + '"',
        "a" * 60_000,
    ],
    ids=lambda header: header[:4],
)
def test_no_header_takes_long(header: str) -> None:
    began = time.thread_time()
    parse_xfcc(header)
    assert time.thread_time() - began < 1
