"""Moments that come and go: the earliest, and how many have passed, whatever came and went before."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.prometheus.moments import Earliest, Passed

MEMBERS = st.sampled_from("abcdef")
CHANGES = st.lists(st.tuples(MEMBERS, st.none() | st.integers(0, 20).map(float)))


@given(CHANGES)
def test_the_earliest_is_that_of_the_members_that_are_left(changes: list[tuple[str, float | None]]) -> None:
    earliest, model = Earliest(), dict[str, float]()
    for member, moment in changes:
        earliest.put(member, moment)
        model.pop(member, None)
        if moment is not None:
            model[member] = moment

        assert earliest.earliest() == min(model.values(), default=None)
        assert len(earliest) == len(model)


@given(CHANGES, st.lists(st.integers(0, 3)))
def test_as_many_have_passed_as_lie_before_the_point(changes: list[tuple[str, float | None]], steps: list[int]) -> None:
    passed, model, point = Passed(), dict[str, float](), 0.0
    for index, (member, moment) in enumerate(changes):
        passed.put(member, moment)
        model.pop(member, None)
        if moment is not None:
            model[member] = moment
        point += steps[index] if index < len(steps) else 0

        assert passed.count(point) == sum(each <= point for each in model.values())


def test_a_member_that_changes_for_ever_takes_no_more_room() -> None:
    earliest = Earliest()
    for moment in range(100_000):
        earliest.put("a", float(moment))

    assert earliest.earliest() == 99_999.0
    assert len(earliest._heap) < 200  # noqa: SLF001  # the room it takes cannot be seen from outside
