"""Runs in PostgreSQL, so that several machines share them. Nothing of this is loaded where no database is named.

database.py   the connection, and the tables in schema.sql
archive.py    the runs that are there, and the record of one as it is read
zone.py       a task that was handed over: its owner's record, lease and fence
site.py       a process that takes tasks, by way of procrastinate, and works on them
shared.py     a run that a person looks on at while others may work on it
"""
