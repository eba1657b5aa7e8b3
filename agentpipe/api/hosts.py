"""Requests come under a name of ours, but for those that ask each process how it is."""

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware

# Whoever asks these finds a process by its address, which differs from one start to the next.
ASKED_BY_ADDRESS = {"/healthz", "/readyz", "/metrics"}


class KnownHost(CommonMiddleware):
    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info in ASKED_BY_ADDRESS else super().process_request(request)
