"""Cache-Control of a request."""

import pytest

from shared.domain.caching import CacheControl


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", CacheControl()),
        ("no-store", CacheControl(no_store=True)),
        ("No-Cache", CacheControl(no_cache=True)),
        ("only-if-cached", CacheControl(only_if_cached=True)),
        ("max-age=60", CacheControl(max_age=60)),
        ('max-age = "60"', CacheControl(max_age=60)),
        ("max-age=0", CacheControl(max_age=0, no_cache=True)),
        ("max-age=60, max-age=30", CacheControl(max_age=30)),
        (" ,no-store ,, max-age=5,", CacheControl(no_store=True, max_age=5)),
        ("max-age=" + "9" * 50, CacheControl(max_age=2**31)),
    ],
)
def test_the_directives_that_mean_something(header: str, wanted: CacheControl) -> None:
    assert CacheControl.parse(header) == wanted


@pytest.mark.parametrize(
    "age", ["max-age", "max-age=", "max-age=x", "max-age=-5", "max-age=1.5", 'max-age="', "max-age=٣"]
)
def test_an_age_that_is_none_means_a_new_answer(age: str) -> None:
    assert CacheControl.parse(age) == CacheControl(max_age=0, no_cache=True)


@pytest.mark.parametrize(
    "header",
    [
        "no-transform",
        "max-stale=5",
        "min-fresh=9",
        'x="no-store, no-cache"',
        "xno-store",
        "no-storex",
        "=",
        '"',
        "\x00\xff",
        "é",
    ],
)
def test_anything_else_means_nothing(header: str) -> None:
    assert CacheControl.parse(header) == CacheControl()


def test_a_header_of_any_length_is_read_at_once() -> None:
    assert CacheControl.parse('"' * 100_000 + "a=" * 100_000) == CacheControl()
