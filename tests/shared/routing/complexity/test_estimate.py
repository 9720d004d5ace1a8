"""The estimate that ships: what it ranks above what, when it abstains, and that no text is too much for it."""

import subprocess
import sys
import threading
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.routing import policy
from shared.routing.complexity.dense import DENSE
from shared.routing.complexity.estimate import FEATURES, LEAST_FAMILIAR, Complexity, Estimate
from shared.routing.complexity.reading import HEAD, TAIL

EASY = {
    "en": ("hi", "Thanks a lot!", "What is the capital of France?", "Translate 'house' to Spanish"),
    "de": ("Hallo", "Was ist die Hauptstadt von Frankreich?"),
    "fr": ("Bonjour", "Quelle est la capitale de l'Italie ?"),
    "es": ("Hola", "¿Cuál es la capital de Francia?"),
    "pt": ("Olá", "Qual é a capital da França?"),
    "ru": ("Привет", "Какая столица Франции?"),
    "zh": ("你好", "法国的首都是哪里"),
}
HARD = {
    "en": (
        "Design a distributed rate limiter that survives the loss of a region, with sliding windows and fair queueing",
        "Prove that every bounded monotone sequence of real numbers converges.",
    ),
    "de": (
        "Entwirf einen verteilten Rate-Limiter mit Redis, Ausfallsicherheit und fairen Warteschlangen",
        "Beweise, dass jede beschränkte monotone Folge reeller Zahlen konvergiert.",
    ),
    "fr": (
        "Conçois un limiteur de débit distribué avec Redis, tolérance aux pannes et files équitables",
        "Démontre que toute suite réelle monotone et bornée converge.",
    ),
    "es": ("Diseña un limitador de peticiones distribuido con Redis, tolerancia a fallos y colas justas",),
    "pt": ("Projete um limitador de requisições distribuído com Redis, tolerância a falhas e filas justas",),
    "ru": ("Спроектируй распределённый ограничитель запросов на Redis для нескольких регионов и сервисов",),
    "zh": ("设计一个分布式限流系统、支持故障转移、滑动窗口和公平排队", "证明每个有界单调实数列都收敛。"),
}


@pytest.fixture(scope="module")
def complexity() -> Complexity:
    return Complexity.load()


@pytest.mark.parametrize("language", EASY)
def test_a_greeting_and_a_fact_rank_below_a_design_and_a_proof(complexity: Complexity, language: str) -> None:
    for easy, hard in product(EASY[language], HARD[language]):
        low, high = complexity.estimate(easy), complexity.estimate(hard)
        assert high.hardness is not None, hard
        assert (low.hardness or 0.0) < high.hardness - 0.3, (easy, hard)


def test_a_hard_request_in_any_language_ranks_above_an_easy_one_in_any_other(complexity: Complexity) -> None:
    most = max(complexity.estimate(text).hardness or 0.0 for texts in EASY.values() for text in texts)
    least = min(complexity.estimate(text).hardness or 0.0 for texts in HARD.values() for text in texts)
    assert most < 0.3
    assert least > 0.45


COMPETITIONS = (
    "Given an array of n integers and q queries, each query asks for the number of distinct values in the subarray "
    "a[l..r]. Print the answer for each query. n, q <= 2*10^5. Time limit 2 seconds.",
    "You are given a tree with n vertices. For each vertex, find the number of paths of length exactly k passing "
    "through it. Input: the first line contains n and k (1 <= k <= n <= 10^5). Output one integer per line.",
    "Alice and Bob play a game on a rooted tree. In each turn a player picks a leaf and deletes any number of its "
    "ancestors. The player who cannot move loses. Determine who wins if both play optimally.",
    "In triangle $ABC$, $AB = 13$, $BC = 14$, $CA = 15$. Let $D$ be the foot of the altitude from $A$, and let $E$ be "
    "the reflection of $D$ across the midpoint of $BC$. Compute the area of triangle $ADE$.",
    "Find the sum of all real numbers $x$ such that $\\lfloor x \\rfloor + \\lfloor 2x \\rfloor = 5x - 3$.",
    "Let $a$, $b$, $c$ be the roots of $x^3 - 5x + 7 = 0$. Compute the monic polynomial whose roots are $a-2$, $b-2$, "
    "and $c-2$.",
)
WRITING = (
    "Write a short story about a dragon who is afraid of fire.",
    "Write a haiku about autumn.",
    "Rewrite this sentence to sound more polite.",
    "Give me ideas for a birthday party.",
    "What's 15% of 80?",
)


def test_competition_problems_are_hard_and_everyday_writing_is_not(complexity: Complexity) -> None:
    hard = [text for text in COMPETITIONS if (complexity.estimate(text).hardness or 0.0) >= policy.HARD]
    assert len(hard) >= len(COMPETITIONS) - 1
    assert [text for text in WRITING if (complexity.estimate(text).hardness or 0.0) >= policy.HARD] == []


@pytest.mark.parametrize(
    "text", ["", "   \n\t", "...", "?!", "123 456", "🤖🤖🤖", "\x00", "\ud800", "zxqv brfl gnorpt wkqe"]
)
def test_it_abstains_where_there_is_nothing_that_it_knows(complexity: Complexity, text: str) -> None:
    assert not complexity.estimate(text).sure
    assert complexity.estimate(text).hardness is None


def test_it_abstains_in_the_middle_and_only_there_when_the_words_are_familiar(complexity: Complexity) -> None:
    texts = [f"{verb} {thing}" for verb in VERBS for thing in THINGS]
    found = [complexity.estimate(text) for text in texts]
    assert all(estimate.features[DENSE.index("familiar")] >= LEAST_FAMILIAR for estimate in found)
    sure = sorted(estimate.score for estimate in found if estimate.sure)
    unsure = sorted(estimate.score for estimate in found if not estimate.sure)
    assert sure
    assert unsure
    assert not [score for score in sure if unsure[0] <= score <= unsure[-1]]
    assert sure[0] < unsure[0] <= unsure[-1] < sure[-1]


VERBS = ("What is", "Explain", "Write", "Compare", "Design", "Prove the correctness of", "Debug", "Summarize")
THINGS = ("a list", "the Raft consensus algorithm", "a Python function that sorts integers", "a database index")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=())) | st.text("aA1 .?`=\n\\(设计приé\ud83d\ud800\x00", max_size=300))
def test_any_text_has_an_estimate_within_bounds(text: str) -> None:
    check(SHARED.estimate(text))


SHARED = Complexity.load()


@pytest.mark.parametrize(
    "text", ["a " * 500_000, "设计" * 300_000, "\n" * 1_000_000, "{}();" * 200_000, "\ud800" * 1_000_000]
)
def test_a_megabyte_has_an_estimate_within_bounds(complexity: Complexity, text: str) -> None:
    check(complexity.estimate(text))


def check(estimate: Estimate) -> None:
    assert 0 <= estimate.score <= 1
    assert estimate.sure in (True, False)
    assert len(estimate.features) == FEATURES <= 32
    assert all(type(value) is float and 0 <= value <= 1 for value in estimate.features)
    assert estimate.features[0] == estimate.score
    assert estimate.hardness is None or 0 <= estimate.hardness <= 1


def test_the_middle_of_a_long_text_is_not_read(complexity: Complexity) -> None:
    head, tail = "Explain this log. " * (HEAD // 18 + 1), "What failed? " * (TAIL // 13 + 1)
    assert complexity.estimate(head + "x" * 900_000 + tail) == complexity.estimate(head + "Prove it. " * 90_000 + tail)


def test_the_same_text_has_the_same_estimate_in_every_process(complexity: Complexity) -> None:
    code = (
        "import sys; from shared.routing.complexity.estimate import Complexity\n"
        "print(repr(Complexity.load().estimate('Compare Raft with Paxos, 请解释')))\n"
        "assert 'numpy' not in sys.modules and 'httpx' not in sys.modules"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout.strip()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs == [repr(complexity.estimate("Compare Raft with Paxos, 请解释"))] * 2


def test_threads_share_one_estimate(complexity: Complexity) -> None:
    texts = [text for texts in (*EASY.values(), *HARD.values()) for text in texts]
    expected = [complexity.estimate(text) for text in texts]
    found: list[list[Estimate]] = []
    threads = [threading.Thread(target=lambda: found.append(list(map(complexity.estimate, texts)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [expected] * 4


def test_the_features_are_in_the_order_of_their_names(complexity: Complexity) -> None:
    text = "Why does `sorted(x)` fail?\n```python\nsorted(x)\n```"
    named = dict(zip(DENSE, complexity.estimate(text).features, strict=True))
    assert named["fenced"] == 1.0
    assert named["share_asks_why"] > 0
