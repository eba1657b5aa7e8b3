"""What pages with forms have in common."""

from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.views import APIView

from conversations.access import reading_or


class FormPage(APIView):
    """Anybody who may read sees it; its form wants more."""

    is_page = True
    renderer_classes = (TemplateHTMLRenderer,)
    # Forms, and what any other door takes.
    parser_classes = (FormParser, MultiPartParser, *APIView.parser_classes)
    scope = reading_or("write")
