"""Requests that a proxy in front and the gateway could read in two ways: nothing behind them is ever answered."""

import re

import pytest

from tests.support.victim import Victim, refused

HEAD = b"POST /v1/route/explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTH = HEAD + b"Content-Length: %b\r\n\r\n{}"
CODING = HEAD + b"Transfer-Encoding:%b\r\n\r\n2\r\n{}\r\n0\r\n\r\n"

AMBIGUOUS = {
    "length then coding": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding then length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "length on a GET with coding": b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "one length twice": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "length as a list": LENGTH % b"2, 2",
    "length below zero": LENGTH % b"-2",
    "length with a sign": LENGTH % b"+2",
    "length in hex": LENGTH % b"0x2",
    "length with a fraction": LENGTH % b"2.0",
    "length with an exponent": LENGTH % b"2e0",
    "length in other digits": LENGTH % "٢".encode(),
    "length with an underscore": LENGTH % b"0_2",
    "length beyond 64 bits": LENGTH % b"99999999999999999999999",
    "length of nothing": LENGTH % b"",
    "coding of nothing": CODING % b"",
    "identity": CODING % b" identity",
    "chunked, identity": CODING % b" chunked, identity",
    "gzip, chunked": CODING % b" gzip, chunked",
    "xchunked": CODING % b" xchunked",
    "chunked in quotes": CODING % b' "chunked"',
    "chunked after a vertical tab": CODING % b" \x0bchunked",
    "chunked before a NUL": CODING % b" chunked\0",
    "chunked with a parameter": CODING % b" chunked;q=1",
    "blank before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "coding twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "coding and another": HEAD
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "coding in HTTP 1.0": HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "folded header": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n\r\n",
    "folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "lines that end in LF": b"GET /health HTTP/1.1\nHost: localhost\n\n",
    "lines that end in CR": b"GET /health HTTP/1.1\rHost: localhost\r\r",
    "one header that ends in LF": b"GET /health HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n",
    "CR in a value": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: a\rX-B: b\r\n\r\n",
    "NUL in a value": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: a\0b\r\n\r\n",
    "NUL in a name": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX\0A: a\r\n\r\n",
    "name without a value": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A\r\n\r\n",
    "value without a name": b"GET /health HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n",
    "chunk below zero": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "chunk with 0x": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "chunk beyond 64 bits": CHUNKED + b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "chunk with a blank": CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n",
    "chunk in words": CHUNKED + b"two\r\n{}\r\n0\r\n\r\n",
    "chunk longer than it says": CHUNKED + b"2\r\n{}XX\r\n0\r\n\r\n",
    "chunk that ends in LF": CHUNKED + b"2\n{}\n0\n\n",
    "chunk extension with LF": CHUNKED + b"2;a=\nb\r\n{}\r\n0\r\n\r\n",
    "HTTP 2.0 in our syntax": b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "HTTP 1.2": b"GET /health HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "HTTP 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
    "CONNECT": b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "made-up method": b"BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "method in small letters": b"get /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in the target": b"GET /health\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "control character in the target": b"GET /hea\x01lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "8 bit in the target": b"GET /v1/models/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "blank in the target": b"GET /health /x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "upgrade to h2c with a body": HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
}


def answers_in(received: bytes) -> int:
    return len(re.findall(rb"HTTP/1\.1 [0-9]{3} ", received))


@pytest.mark.parametrize("attack", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_request_that_could_be_read_in_two_ways_ends_the_connection(local: Victim, attack: bytes) -> None:
    received = local.all_of(attack + SMUGGLED)
    assert answers_in(received) == 1, received
    assert b"connection: close" in received
    status = int(received.split(b" ", 2)[1])
    assert status in (400, 501, 505)
    assert b"/smuggled" not in local.log()[-2000:].encode()
    refused(local.raw(attack), status)


@pytest.mark.parametrize("end", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_a_body_of_a_get_is_no_request(local: Victim, end: bytes) -> None:
    attack = b"GET /health HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n" % (end, len(SMUGGLED))
    close = b"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    received = local.all_of(attack + SMUGGLED + close)
    assert received.count(b"HTTP/1.1 200 ") == (1 if end else 2)
    assert answers_in(received) == received.count(b"HTTP/1.1 200 ")


def test_what_follows_a_close_is_not_read(local: Victim) -> None:
    first = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert answers_in(local.all_of(first + SMUGGLED)) == 1


TRAILERS = {
    "credentials": b"Authorization: Bearer %b\r\n",
    "a host": b"Host: evil.example\r\n",
    "an origin": b"Origin: http://evil.example\r\n",
    "a length": b"Content-Length: 5\r\n",
    "a media type": b"Content-Type: text/plain\r\n",
}


@pytest.mark.parametrize("trailer", TRAILERS.values(), ids=TRAILERS)
def test_trailers_change_nothing(required: Victim, trailer: bytes) -> None:
    if b"%b" in trailer:
        trailer = trailer % required.token.encode()
    close = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    refused(required.raw(close + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n"), 400 if b"Length" in trailer else 401)


@pytest.mark.parametrize(
    "endless",
    [b"0\r\nX-Endless: ", b"0\r\n" + b"X-A: b\r\n" * 10_000, b"2;extension=", b"2;" + b"a=b;" * 20_000],
    ids=["one trailer", "many trailers", "chunk extension", "many chunk extensions"],
)
def test_framing_without_an_end_is_cut_off(local: Victim, endless: bytes) -> None:
    received = local.all_of(CHUNKED + endless + b"x" * 300_000)
    assert b"HTTP/1.1 431 " in received or b"HTTP/1.1 400 " in received
