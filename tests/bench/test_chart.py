"""The chart says what the figures say, and stands alone."""

from typing import Any
from xml.etree import ElementTree

from bench.chart import Bar, Panel, panels_of, svg_of

SVG = "{http://www.w3.org/2000/svg}"
FIGURES: dict[str, dict[str, Any]] = {
    "chats": {
        "taken": "today",
        "cpu_ms:gateway": 0.3,
        "cpu_ms:bare-aiohttp": 0.1,
        "cpu_ms:bare-httpx": 0.9,
        "token_us:gateway": 30.0,
        "token_us:bare-aiohttp": 20.0,
    },
    "peers": {"cpu_ms:gateway": 0.3, "cpu_ms:litellm": 5.0},
}


def drawn(panels: list[Panel]) -> ElementTree.Element:
    return ElementTree.fromstring(svg_of(panels))


def test_there_is_a_panel_for_what_was_measured() -> None:
    panels = panels_of(FIGURES)
    assert [(panel.title, [bar.label for bar in panel.bars]) for panel in panels] == [
        ("CPU per chat", ["bare proxy (aiohttp)", "this gateway", "bare proxy (httpx)"]),
        ("CPU per streamed token", ["bare proxy (aiohttp)", "this gateway"]),
        ("CPU per chat", ["this gateway", "LiteLLM"]),
    ]


def test_other_gateways_are_left_out_where_none_was_measured() -> None:
    assert len(panels_of({"chats": FIGURES["chats"]})) == 2
    assert panels_of({}) == []


def test_lengths_are_in_proportion() -> None:
    bars = [Bar("a", 1.0, ours=True), Bar("b", 4.0)]
    widths = [float(rect.attrib["width"]) for rect in drawn([Panel("CPU", "ms", bars)]).iter(f"{SVG}rect")]
    assert widths[1] == 4 * widths[0]


def test_the_least_bar_is_still_seen() -> None:
    bars = [Bar("a", 0.001), Bar("b", 1000.0)]
    widths = [float(rect.attrib["width"]) for rect in drawn([Panel("CPU", "ms", bars)]).iter(f"{SVG}rect")]
    assert min(widths) >= 2


def test_every_bar_is_inside_of_the_picture() -> None:
    svg = drawn(panels_of(FIGURES))
    for rect in svg.iter(f"{SVG}rect"):
        assert float(rect.attrib["x"]) + float(rect.attrib["width"]) < float(svg.attrib["width"])
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) < float(svg.attrib["height"])


def test_it_is_said_in_words_for_those_who_do_not_see_it() -> None:
    title = drawn(panels_of(FIGURES)).findtext(f"{SVG}title")
    assert title is not None
    assert "this gateway 0.30" in title
    assert "LiteLLM 5.00" in title


def test_labels_cannot_break_it() -> None:
    svg = drawn([Panel("<a> & b", "ms", [Bar('"c" <d>', 1.0)])])
    assert '"c" <d>' in [text.text for text in svg.iter(f"{SVG}text")]


def test_it_has_colours_for_both_light_and_dark_and_fetches_nothing() -> None:
    text = svg_of(panels_of(FIGURES))
    assert "prefers-color-scheme: dark" in text
    assert "href" not in text
    assert "url(" not in text
