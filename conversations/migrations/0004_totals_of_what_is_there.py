from django.db import migrations

COUNT_ALL = """
DELETE FROM conversations_hourlytotal;
INSERT INTO conversations_hourlytotal (
    project_id, hour, source, agent_type, model,
    messages, input_tokens, output_tokens, total_tokens, cost, duration_ms
)
SELECT m.project_id, date_trunc('hour', m.timestamp, 'UTC'),
    left(c.source, 100), left(m.agent_type, 100), left(m.model, 100), count(*),
    coalesce(sum(m.input_tokens), 0), coalesce(sum(m.output_tokens), 0),
    coalesce(sum(m.total_tokens), 0), coalesce(sum(m.cost), 0), coalesce(sum(m.duration_ms), 0)
FROM conversations_message m JOIN conversations_conversation c ON c.id = m.conversation_id
GROUP BY 1, 2, 3, 4, 5;
"""


class Migration(migrations.Migration):
    """Messages from before the totals are counted now; from here on each transaction counts its own."""

    dependencies = [("conversations", "0003_search")]

    operations = [migrations.RunSQL(COUNT_ALL, migrations.RunSQL.noop)]
