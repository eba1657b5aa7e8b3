"""The worker's jobs as procrastinate shows them, less the inline styles, which our pages forbid."""

import json

from django.contrib import admin
from django.utils.html import format_html
from django.utils.text import Truncator
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateJob

MOST_CHARACTERS = 2_000

admin.site.unregister(ProcrastinateJob)


@admin.register(ProcrastinateJob)
class JobAdmin(ProcrastinateJobAdmin):
    @admin.display(description="arguments")
    def pretty_args(self, instance: ProcrastinateJob) -> str:
        written = json.dumps(instance.args, indent=2)
        return format_html("<pre>{}</pre>", Truncator(written).chars(MOST_CHARACTERS))

    @admin.display(description="what happened last")
    def summary(self, instance: ProcrastinateJob) -> str:
        last = instance.procrastinateevent_set.first()
        return f"{last.type}, {last.at:%Y-%m-%d %H:%M:%S} UTC" if last else ""
