import streaming.tracing
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0003_progress'),
    ]

    operations = [
        migrations.AddField(
            model_name='agentrun',
            name='trace',
            field=models.CharField(blank=True, db_default='', default=streaming.tracing.here, editable=False, max_length=55),
        ),
    ]
