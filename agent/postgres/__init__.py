"""Runs in PostgreSQL, so that several machines share them. Nothing of this is loaded where no database is named.

database.py   the connection; the tables are in schema.sql, what happens to handed-over tasks in functions.sql
archive.py    the runs that are there, and the record of one as it is read
tasks.py      handed-over tasks: which process has which, and which wait for whom
zone.py       a task that was handed over: its owner's record, lease and fence
site.py       a process that takes tasks, by way of procrastinate, and works on them
shared.py     a run that a person looks on at while others may work on it
"""
