"""What the bars read out of runs."""

from typing import Any

from tests.bench.bars import BARS, MAIN, Bar, Runs


def a_run(side: str, per_cpu: float, repeat: int = 1, **more: Any) -> dict[str, Any]:
    about = {"case": "deliver", "variant": MAIN, "side": side, "repeat": repeat}
    return {**about, "calls_per_cpu_second": per_cpu, "rate": 1000.0, **more}


def bar(beginning: str) -> Bar:
    return next(each for each in BARS if each.says.startswith(beginning))


OF_OURS = "durable calls per CPU second, of our own"


def test_a_ratio_is_taken_within_each_repeat() -> None:
    ours, theirs = "bridge", "bridge without durability"
    runs = Runs(
        a_run(side, per_cpu, repeat)
        for repeat, pair in enumerate(((60, 100), (30, 40), (100, 50)), 1)
        for side, per_cpu in zip((ours, theirs), pair, strict=True)
    )
    assert bar(OF_OURS).figure(runs) == 0.75
    assert bar(OF_OURS).met(0.75)
    assert not bar(OF_OURS).met(0.64)


def test_the_latest_of_two_runs_of_the_same_repeat_counts() -> None:
    absolute = next(each for each in BARS if each.says == "durable calls per CPU second")
    assert absolute.figure(Runs([a_run("bridge", 1), a_run("bridge", 2)])) == 2


def test_what_was_not_run_has_no_figure() -> None:
    missing = {**a_run("Parallel Consumer", 0), "not_run": "it needs a JDK"}
    runs = Runs([a_run("bridge", 2000), missing])
    assert bar("durable calls per CPU second, times Parallel Consumer's").figure(runs) is None


def test_everything_that_goes_wrong_is_summed_up() -> None:
    wrong = bar("out of order")
    assert wrong.figure(Runs([a_run("bridge", 1, violations=0, lost=0)])) == 0
    assert wrong.figure(Runs([a_run("bridge", 1, violations=2, lost=1), a_run("mq-bridge", 1, violations=9)])) == 3
    assert not wrong.met(3)


def test_every_bar_is_not_run_when_nothing_was() -> None:
    assert [each.figure(Runs([])) for each in BARS] == [None] * len(BARS)
