"""What pages with forms have in common."""

from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.views import APIView


class FormPage(APIView):
    """Anybody who may read sees it; its form wants more."""

    is_page = True
    renderer_classes = (TemplateHTMLRenderer,)
    # Forms, and what any other door takes.
    parser_classes = (FormParser, MultiPartParser, *APIView.parser_classes)
    form_scope = "write"

    @property
    def scope(self) -> str:
        return "read" if self.request.method in SAFE_METHODS else self.form_scope
