import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    """The index knows of each document where it is, so that of a word only the newest are read.

    A minute or two for a million messages. If it is killed, it begins again.
    """

    dependencies = [("conversations", "0012_longer_receipts")]

    operations = [
        migrations.RunSQL("SET LOCAL maintenance_work_mem = '128MB'", migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name="searchdocument", name="documents_by_word"),
        migrations.AddIndex(
            model_name="searchdocument",
            index=django.contrib.postgres.indexes.GinIndex(
                models.F("words"),
                models.Func(template="(ARRAY[project_id, (project_id << 32) | (id >> 12)])"),
                name="documents_by_slice",
            ),
        ),
    ]
