from array import array

from shared.routing.learning.remembered import Remembered, Request


def request(score: float = 0.0) -> Request:
    return Request(array("f", [1.0]), score)


def test_the_oldest_is_forgotten_first() -> None:
    remembered = Remembered(2)
    for name in ("a", "b", "c"):
        remembered.put(("me", name), request())
    assert [remembered.get(("me", name)) is not None for name in ("a", "b", "c")] == [False, True, True]
    assert len(remembered) == 2


def test_a_request_with_the_id_of_an_earlier_one_takes_its_place_and_is_young_again() -> None:
    remembered = Remembered(2)
    for name, score in (("a", 0.1), ("b", 0.2), ("a", 0.3), ("c", 0.4)):
        remembered.put(("me", name), request(score))
    found = remembered.get(("me", "a"))
    assert found is not None
    assert found.score == 0.3
    assert remembered.get(("me", "b")) is None


def test_the_same_id_of_another_caller_is_another_request() -> None:
    remembered = Remembered()
    remembered.put(("me", "a"), request())
    assert remembered.get(("you", "a")) is None
