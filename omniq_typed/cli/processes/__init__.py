"""Worker processes as `omniq-typed worker` runs them.

exits.py        the exit codes, in one place
options.py      what the command was told
starting.py     starts what the options ask for
process.py      one worker process: its bus, its signals, its health
signals.py      the signals of a main thread that waits for several things
leaving.py      the end of a process, which nothing can hold up
link.py         what a worker process and its supervisor tell one another
supervisor.py   N processes: started, replaced when they die, ended together
child.py        one of them, as the supervisor sees it
probes.py       /livez and /readyz over HTTP
watching.py     which edited files ask for a restart (--reload)
"""
