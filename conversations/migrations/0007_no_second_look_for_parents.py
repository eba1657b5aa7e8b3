import django.db.models.deletion
from django.db import migrations, models


def reference(to, **options):
    return models.ForeignKey(
        to=to, on_delete=django.db.models.deletion.CASCADE, db_constraint=False, **options
    )


class Migration(migrations.Migration):
    """A COMMIT looks no more for the project and the conversation of every message."""

    dependencies = [("conversations", "0006_newest_documents_of_a_project")]

    operations = [
        migrations.AlterField(
            "message", "project", reference("conversations.project", db_index=False)
        ),
        migrations.AlterField(
            "message",
            "conversation",
            reference("conversations.conversation", db_index=False, related_name="messages"),
        ),
        migrations.AlterField(
            "unindexed", "project", reference("conversations.project", db_index=False)
        ),
        migrations.AlterField("unindexed", "conversation", reference("conversations.conversation")),
    ]
