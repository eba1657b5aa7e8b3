import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0004_totals_of_what_is_there'),
    ]

    operations = [
        migrations.AlterField(
            model_name='project',
            name='retention_days',
            field=models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(36500)]),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('retention_days__range', (1, 36500)), ('retention_days', None), _connector='OR'), name='retention_of_days_or_for_ever'),
        ),
        migrations.CreateModel(
            name='RetentionDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('last_run_at', models.DateTimeField()),
                ('gone', models.JSONField(default=dict)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='retention', to='conversations.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(models.F('project'), models.F('day'), name='one_account_a_day')],
            },
        ),
    ]
