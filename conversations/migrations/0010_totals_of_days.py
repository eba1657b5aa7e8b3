from django.db import migrations, models


class Migration(migrations.Migration):
    """Totals of days beside those of hours: a summary of years need not add up their hours."""

    dependencies = [("conversations", "0009_agents_of_a_conversation")]

    operations = [
        migrations.RemoveConstraint(model_name="hourlytotal", name="one_total_per_hour"),
        migrations.RenameModel(old_name="HourlyTotal", new_name="Total"),
        migrations.RenameField(model_name="total", old_name="hour", new_name="slot"),
        migrations.AddField(
            model_name="total",
            name="unit",
            field=models.CharField(
                choices=[("hour", "Hour"), ("day", "Day")], default="hour", max_length=4
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="total",
            constraint=models.UniqueConstraint(
                models.F("project"),
                models.F("unit"),
                models.F("slot"),
                models.F("source"),
                models.F("agent_type"),
                models.F("model"),
                name="one_total_each",
            ),
        ),
    ]
