"""The image is built from what the repository has: no engine is at hand in the tests, so the files are read."""

import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPY = re.compile(r"^COPY (?!--from)(?P<sources>.+) \S+$", re.MULTILINE)


def copied() -> list[str]:
    """The paths that the Dockerfile takes from the build context."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return [source.removeprefix("./") for match in COPY.finditer(dockerfile) for source in match["sources"].split()]


def let_through() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines, "everything that is not named is kept back"
    return [line[1:] for line in lines if line.startswith("!")]


def test_everything_that_the_image_copies_is_in_the_repository_and_let_through_to_the_builder() -> None:
    assert copied()
    assert [source for source in copied() if not (ROOT / source).exists()] == []
    assert [source for source in copied() if not any(fnmatch(source, each) for each in let_through())] == []


def test_nothing_is_let_through_that_the_image_does_not_copy() -> None:
    assert sorted(let_through()) == sorted(copied())
