"""The addresses where local model servers are looked for."""

import pytest

from shared.providers.local_addresses import Candidate, candidates, endpoint_root, ollama_url, shown


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("  ", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box.local:1234", "http://box.local:1234"),
        (":12345", "http://127.0.0.1:12345"),
        (":", "http://127.0.0.1:11434"),
        ("box:", "http://box:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("192.168.1.5", "http://192.168.1.5:11434"),
        ("http://box", "http://box:80"),
        ("https://box", "https://box:443"),
        ("http://box:11434/", "http://box:11434"),
        ("https://box/models/ollama/", "https://box:443/models/ollama"),
        ("box/path", "http://box:11434/path"),
        ("::", "http://[::1]:11434"),
        ("[::]:9000", "http://[::1]:9000"),
        ("::1", "http://[::1]:11434"),
        ("[fe80::1]:77", "http://[fe80::1]:77"),
        ("http://[::1]", "http://[::1]:80"),
        ("box:99999", "http://box:11434"),
        ("box:x", "http://box:11434"),
        ("https://box:x", "https://box:443"),
        ('"box:1"', "http://box:1"),
        ("ollama.com", "https://ollama.com:443"),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(value: str, url: str) -> None:
    assert ollama_url(value) == url


@pytest.mark.parametrize(
    ("value", "root"),
    [
        ("http://127.0.0.1:1234/v1", "http://127.0.0.1:1234"),
        ("http://127.0.0.1:1234/v1/", "http://127.0.0.1:1234"),
        ("localhost:8080", "http://localhost:8080"),
        ("https://box/engines/v1", "https://box/engines"),
        ("https://box/api", "https://box/api"),
    ],
)
def test_an_endpoint_is_taken_with_or_without_its_version(value: str, root: str) -> None:
    assert endpoint_root(value) == root


def test_what_the_operator_names_comes_before_the_usual_ports() -> None:
    found = candidates(oss_model_endpoint="http://gpu:9000/v1", ollama_host="gpu")
    assert found[:2] == (Candidate("http://gpu:9000", explicit=True), Candidate("http://gpu:11434", explicit=True))
    assert [one.root for one in found[2:]] == [f"http://127.0.0.1:{port}" for port in (11434, 1234, 8080, 8000)]
    assert not any(one.explicit for one in found[2:])


def test_an_address_named_twice_is_asked_once_and_stays_explicit() -> None:
    found = candidates(oss_model_endpoint="localhost:11434", ollama_host="0.0.0.0", usual_ports=[11434])
    assert found == (Candidate("http://localhost:11434", explicit=True),)


def test_without_discovery_only_what_is_named_is_asked() -> None:
    assert candidates(usual_ports=()) == ()
    assert candidates(ollama_host="box", usual_ports=()) == (Candidate("http://box:11434", explicit=True),)


def test_a_password_in_an_address_is_not_shown() -> None:
    assert shown("http://user:secret@box:1/path") == "http://box:1/path"
    assert shown("http://box:1") == "http://box:1"
