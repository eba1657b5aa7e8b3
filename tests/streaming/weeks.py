"""The log as a test finds it: with no volume but those that its tables were made with."""

from django.db import connection

from streaming import volumes


def drop_weeks() -> None:
    with connection.cursor() as cursor:
        for volume in volumes.all_volumes():
            if volume.is_whole_week:
                cursor.execute(f"DROP TABLE {volume.entry}, {volume.body}")
