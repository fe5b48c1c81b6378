"""`make run`: everything that Switchyard needs on one machine, started, watched and ended together.

`circus` runs the processes of the `Procfile` and starts again what dies. What is here is the order: checks,
embedded Redis, database, processes, one line with the address; and everything ends when the launcher does.
"""
