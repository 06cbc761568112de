"""The pages that are made from the code are those that the code makes now; `make docs` makes them anew."""

from collections.abc import Callable
from pathlib import Path

import openapi_spec_validator
import pytest
import yaml

from bridge.cli import app
from bridge.cli.asyncapi import asyncapi_page
from bridge.cli.commands_page import commands_page
from bridge.cli.config import settings_page
from bridge.cli.topics_page import topics_page
from bridge.cli.webhook import openapi_page
from bridge.settings import WebhookAuth
from bridge.topics import data_directory, load_topics
from tests.schema_examples import the_schemas


@pytest.mark.parametrize(
    ("page", "make"),
    [
        ("settings.md", settings_page),
        ("topics.md", lambda: topics_page(load_topics(data_directory() / "topics.yaml"))),
        ("asyncapi.yaml", lambda: asyncapi_page(load_topics(data_directory() / "topics.yaml"), the_schemas())),
        ("webhook.openapi.yaml", openapi_page),
        ("cli.md", lambda: commands_page(app)),
    ],
)
def test_a_page_is_what_the_code_makes(page: str, make: Callable[[], str], pytestconfig: pytest.Config) -> None:
    kept = (pytestconfig.rootpath / "docs" / page).read_text(encoding="utf-8")

    assert kept == make(), f"docs/{page} is old: run `make docs`"


def test_the_page_of_commands_names_nothing_of_this_machine(tmp_path: Path) -> None:
    page = commands_page(app)

    assert str(Path.cwd()) not in page
    assert str(Path.home()) not in page


@pytest.mark.parametrize("auth", WebhookAuth)
def test_the_webhooks_description_is_valid_openapi(auth: WebhookAuth) -> None:
    document = yaml.safe_load(openapi_page("/gateway/kcis", auth))

    openapi_spec_validator.validate(document)
    assert set(document["paths"]) == {"/gateway/kcis", "/gateway/kcis/gateway/kcis"}
