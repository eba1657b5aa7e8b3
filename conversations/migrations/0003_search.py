from django.db import migrations, models

QUEUE_ALL = """
INSERT INTO conversations_unindexed (project_id, conversation_id, message_id)
SELECT project_id, conversation_id, id FROM conversations_message ORDER BY id;
INSERT INTO conversations_unindexed (project_id, conversation_id)
SELECT project_id, id FROM conversations_conversation ORDER BY id;
"""


class Migration(migrations.Migration):
    """What is there already waits to be indexed like what is recorded from here on."""

    dependencies = [("conversations", "0002_the_record_kept")]

    operations = [
        migrations.AddField(
            model_name="searchdocument",
            name="start",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.RunSQL(QUEUE_ALL, migrations.RunSQL.noop),
    ]
