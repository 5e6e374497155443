"""A table with a row."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    operations = (
        migrations.RunSQL("create table cups (id integer); insert into cups values (7);"),
    )
