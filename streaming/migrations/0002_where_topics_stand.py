from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streaming", "0001_initial")]

    operations = [
        # Defaults of the database: while an upgrade is under way, the old version adds topics, too.
        migrations.AddField("topic", "volume", models.BigIntegerField(db_default=0)),
        migrations.AddField("topic", "volume_seq", models.BigIntegerField(db_default=1)),
        migrations.AddField("topic", "last_recorded_at", models.DateTimeField(null=True)),
        migrations.AddField("topic", "last_tag", models.BigIntegerField(null=True)),
    ]
