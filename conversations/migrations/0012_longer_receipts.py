from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0011_totals_of_the_days_that_were'),
    ]

    operations = [
        migrations.AddField(
            model_name='receipt',
            name='answer',
            field=models.JSONField(editable=False, null=True),
        ),
    ]
