from django.db import migrations

COUNT_DAYS = """
DELETE FROM conversations_total WHERE unit = 'day';
INSERT INTO conversations_total (
    project_id, unit, slot, source, agent_type, model,
    messages, input_tokens, output_tokens, total_tokens, cost, duration_ms
)
SELECT project_id, 'day', date_trunc('day', slot, 'UTC'), source, agent_type, model,
    sum(messages), sum(input_tokens), sum(output_tokens), sum(total_tokens), sum(cost),
    sum(duration_ms)
FROM conversations_total
GROUP BY 1, 2, 3, 4, 5, 6;
"""
FORGET_DAYS = "DELETE FROM conversations_total WHERE unit = 'day';"


class Migration(migrations.Migration):
    """The days of the hours counted so far; from here on each transaction counts both."""

    dependencies = [("conversations", "0010_totals_of_days")]

    operations = [migrations.RunSQL(COUNT_DAYS, FORGET_DAYS)]
