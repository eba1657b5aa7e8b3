"""What bodies may be: JSON in, read as strictly as at the ingest door, and JSON out."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from conversations.errors import BodyTooLarge
from conversations.ingest.reading import read_json


class AlwaysJSON(BaseContentNegotiation):
    """A view has one renderer; an EventSource asks for text/event-stream and gets it unasked."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        # A page and the schema have renderers that can show nothing but themselves.
        renderer = JSONRenderer() if request.method == "OPTIONS" else next(iter(renderers))
        return renderer, renderer.media_type or ""


class StrictJSON(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.BODY_LIMIT + 1)
        if len(body) > settings.BODY_LIMIT:
            raise BodyTooLarge
        return read_json(body)
