"""`bridge webhook`: what the webhook takes and answers, for those who deliver to it."""

import json
from importlib.metadata import version
from typing import Annotated

import typer
import yaml

from bridge.adapters.webhook.description import describe
from bridge.settings import WebhookAuth

app = typer.Typer(name="webhook", help="What the webhook takes and answers.", no_args_is_help=True)

HEADER = "# Made from bridge/adapters/webhook/description.py by `bridge webhook openapi`; change that, not this file.\n"


@app.callback()
def webhook() -> None:
    """What the webhook takes and answers."""


@app.command("openapi")
def print_openapi(
    path: Annotated[str, typer.Option(help="BRIDGE_WEBHOOK_PATH of the deployment.")] = "/kcis",
    auth: Annotated[WebhookAuth, typer.Option(help="BRIDGE_WEBHOOK_AUTH of the deployment.")] = WebhookAuth.BASIC,
) -> None:
    """Print docs/webhook.openapi.yaml, the OpenAPI document that the webhook serves of itself. Needs no cluster."""
    typer.echo(openapi_page(path, auth), nl=False)


def openapi_page(path: str = "/kcis", auth: WebhookAuth = WebhookAuth.BASIC) -> str:
    """The document, as YAML."""
    document = json.loads(describe(path=path, auth=auth, version=version("fibre-fault-bridge")))
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
