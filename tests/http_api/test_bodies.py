import orjson
import pytest

from http_api.bodies import MAX_DEPTH, parse_object, parse_query, read_body
from http_api.errors import ClientGone
from shared.errors import InvalidInput


def nested(levels: int) -> bytes:
    """An object that nests to exactly that depth."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": "\x00"}',
        b"\xef\xbb\xbf{}",
        b"   ",
        b"[]",
        b'"text"',
        b"1",
        b"null",
        nested(MAX_DEPTH + 1),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_is_no_plain_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_object(body)
    (found,) = refused.value.details["fields"]  # type: ignore[index]
    assert found["field"] == "(body)"
    assert found["reason"] in refused.value.message


def test_an_object_may_nest_up_to_the_limit() -> None:
    assert parse_object(nested(MAX_DEPTH))["a"]
    assert orjson.dumps(parse_object(nested(MAX_DEPTH)))


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert len(parse_object(b'{"a":[' + b",".join([b"{}"] * 5000) + b"]}")["a"]) == 5000


def test_brackets_in_text_are_not_deep() -> None:
    assert parse_object(b'{"a":"' + b"[{" * 500 + b'"}') == {"a": "[{" * 500}


def test_an_empty_body_is_an_empty_object() -> None:
    assert parse_object(b"") == {}


def test_a_nul_character_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(InvalidInput, match=r"'messages\.0\.content'"):
        parse_object(b'{"messages":[{"content":"a\\u0000b"}]}')
    with pytest.raises(InvalidInput, match=r"\(body\)"):
        parse_object(b'{"a\\u0000":1}')


def test_a_terminal_may_get_a_nul_character() -> None:
    assert parse_object(b'{"data":"\\u0000"}', nul=True) == {"data": "\x00"}


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert parse_object(b'{"a":"\\\\u0000"}') == {"a": "\\u0000"}


def test_query_parameters_are_decoded() -> None:
    assert parse_query(b"a=1&b=%C3%A9+x&empty=") == {"a": "1", "b": "é x", "empty": ""}
    assert parse_query(b"") == {}


@pytest.mark.parametrize(
    "query", [b"a=1&a=2", b"a=%FF", b"a=%00", b"a=\xff", b"&".join(b"p%d=1" % n for n in range(200))]
)
def test_a_query_that_is_ambiguous_or_no_text_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_query(query)


async def test_a_body_is_put_together_from_its_parts() -> None:
    parts = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.request", "body": b"c"},
    ]

    async def receive() -> dict[str, object]:
        return parts.pop(0)

    assert await read_body(receive) == b"abc"


async def test_a_client_that_leaves_in_the_middle_is_noticed() -> None:
    parts = [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, object]:
        return parts.pop(0)

    with pytest.raises(ClientGone):
        await read_body(receive)
