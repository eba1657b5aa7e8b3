from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0005_what_retention_took")]

    operations = [
        migrations.RemoveIndex(model_name="searchdocument", name="documents_newest_first"),
        migrations.AddIndex(
            model_name="searchdocument",
            index=models.Index(
                models.F("project"), models.F("id") * -1, name="documents_newest_first"
            ),
        ),
    ]
