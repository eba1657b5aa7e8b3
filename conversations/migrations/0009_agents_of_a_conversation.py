import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models

NOTE_AGENTS = """
    UPDATE conversations_conversation c SET agents = found.agents
    FROM (
        SELECT conversation_id, array_agg(DISTINCT left(name, 200)) AS agents
        FROM (
            SELECT conversation_id, unnest(ARRAY[agent_id, agent_type]) AS name
            FROM conversations_message
            UNION ALL
            SELECT conversation_id, unnest(ARRAY[agent_id, agent_type])
            FROM conversations_participant
        ) named
        WHERE name <> ''
        GROUP BY conversation_id
    ) found
    WHERE c.id = found.conversation_id
"""


class Migration(migrations.Migration):
    """A conversation knows its agents: to look for one asks none of its messages."""

    dependencies = [("conversations", "0008_what_a_summary_counts")]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="agents",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(), default=list, editable=False, size=None
            ),
        ),
        migrations.RunSQL(NOTE_AGENTS, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="conversation",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["agents"], name="conversations_by_agent"
            ),
        ),
    ]
