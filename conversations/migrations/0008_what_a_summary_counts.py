from django.db import migrations, models


class Migration(migrations.Migration):
    """A summary reads an index, and not every conversation."""

    dependencies = [("conversations", "0007_no_second_look_for_parents")]

    operations = [
        migrations.RemoveIndex(model_name="conversation", name="conversations_newest_first"),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                fields=["project", "-started_at", "-id"],
                include=["status", "source"],
                name="conversations_newest_first",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                fields=["project"],
                condition=models.Q(status="ACTIVE"),
                name="conversations_active",
            ),
        ),
    ]
