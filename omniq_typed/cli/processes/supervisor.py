"""Keeps N worker processes at work: starts them, replaces those that die, ends them together.

It never imports the app, so nothing in it can crash or leak here. One thread does everything, in
`run`: each turn is a list of steps. The order matters: signals before deaths, since Ctrl-C in a
terminal reaches the processes as well, and they then end without a fault.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from omniq_typed.cli.processes.child import Child, Place, how_it_ended
from omniq_typed.cli.processes.exits import Exit, of_signal, worst
from omniq_typed.cli.processes.link import Message
from omniq_typed.cli.processes.options import WorkerOptions
from omniq_typed.cli.processes.probes import State
from omniq_typed.cli.processes.signals import Listener, stop_signals
from omniq_typed.cli.processes.watching import Watcher

log = logging.getLogger("omniq_typed.worker")

TURN_S = 0.5
END_PATIENCE_S = 10.0
"""How long after its grace a process may take to end; it sees to that itself within eight."""
FRESH_S = 5.0
"""A process that told its health this lately is believed."""


class Supervisor:
    """`run` it in the main thread, once."""

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._places = [Place(n + 1) for n in range(options.processes)]
        self._listener: Listener
        self._watcher = Watcher(lambda: self._listener.wake_up()) if options.reload else None
        # Two edits within a second, of the same length, would share one .pyc.
        self._environment = {"PYTHONDONTWRITEBYTECODE": "1"} if options.reload else {}
        self._stopping = False
        self._codes: list[int] = []
        self._told: set[tuple[str, ...]] = set()
        self._turned_at = time.monotonic()

    def run(self) -> int:
        """Until a signal, or what an operator has to mend. Answers the exit code."""
        self._listener = Listener()
        # The processes heed the same ones, once each: it does no harm that a terminal or systemd
        # sends them to all.
        with self._listener.listening(stop_signals()), closing(self._listener):
            while True:
                self._fill()
                if self._stopping and not list(self._children()):
                    return worst(self._codes)
                self._listen()
                code = self._heed_signals()
                if code is not None:
                    return code
                self._heed_edits()
                self._end_overdue()
                self._bury()

    def look(self) -> State:
        """For the probes: live while one process is, or none has been tried; ready where all are.
        Whoever is stuck is replaced here, so that a restart from outside would mend nothing."""
        children = [place.child for place in self._places]
        turning = time.monotonic() - self._turned_at < FRESH_S + 10 * TURN_S
        ready = [it is not None and it.ready and it.silent_s < FRESH_S for it in children]
        body: dict[str, Any] = {
            "live": turning and any(it is not None and it.live for it in children),
            "ready": not self._stopping and all(ready),
            "processes": [
                {"pid": None} if it is None else {"pid": it.pid, **(it.health or {})}
                for it in children
            ],
        }
        return State(body["live"], body["ready"], body)

    def _children(self) -> Iterator[Child]:
        return (place.child for place in self._places if place.child is not None)

    def _fill(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.child is not None or self._stopping or now < place.start_at:
                continue
            try:
                place.child = Child(self._environment)
                log.debug("process %d started, pid %d", place.number, place.child.pid)
            except OSError as error:
                wait_s = max(1.0, place.wait_after(0.0))
                place.start_at = now + wait_s
                log.error("no process can be started, again in %.1f s: %s", wait_s, error)

    def _listen(self) -> None:
        """Hears what the processes tell, at most for a turn."""
        linked = [it for it in self._children() if not it.silenced]
        self._listener.wait((it.socket for it in linked), self._turn_s())
        now = time.monotonic()
        # No more than a turn: where we were stopped ourselves (SIGSTOP, a suspended machine),
        # nobody could be heard.
        passed_s, self._turned_at = min(now - self._turned_at, 2 * TURN_S), now
        for child in self._children():
            child.silent_s += passed_s
            for message in child.messages():
                child.silent_s = 0.0
                self._note(child, message)

    def _turn_s(self) -> float:
        """Until something is to be done at the latest."""
        times = [it.start_at for it in self._places if it.child is None]
        times += [child.kill_at for child in self._children()]
        # An exited process whose socket is held by one that it forked is only seen by looking.
        return min([TURN_S, *(each - time.monotonic() for each in times)])

    def _note(self, child: Child, message: Message) -> None:
        if message.kind == "health":
            child.health = message.health
        elif message.kind == "loaded":
            child.loaded = True
            self._tell_once(logging.INFO, *message.lines)
            if self._watcher is not None:
                self._watcher.watch(message.folders)
        elif message.kind == "failed":
            self._tell_once(logging.ERROR, message.error)

    def _tell_once(self, level: int, *lines: str) -> None:
        """N processes have the same to say."""
        if lines in self._told:
            return
        self._told.add(lines)
        for line in lines:
            log.log(level, "%s", line)

    def _heed_signals(self) -> int | None:
        """The first one ends the processes, the second kills them. Answers the code to exit with
        at once, if there is one."""
        for signum in self._listener.heard():
            if self._stopping:
                log.warning("%s again: killing what still runs", signum.name)
                self._kill_all()
                return of_signal(signum)
            log.warning(
                "%s: stopping %d processes, %s; once more to kill",
                signum.name,
                len(list(self._children())),
                self._options.how,
            )
            self._stop()
        return None

    def _stop(self) -> None:
        self._stopping = True
        for child in self._children():
            child.ask_to_end(self._options.grace_s + END_PATIENCE_S)

    def _kill_all(self) -> None:
        for child in self._children():
            child.kill()
        for child in self._children():
            child.process.wait()

    def _heed_edits(self) -> None:
        edited = self._watcher.edited() if self._watcher is not None else ()
        if not edited or self._stopping:
            return
        log.info("%s: starting anew", ", ".join(edited[:3]) + (", ..." if edited[3:] else ""))
        self._told.clear()
        for place in self._places:
            place.start_now()
            if place.child is not None:
                place.child.ask_to_end(self._options.grace_s + END_PATIENCE_S)

    def _end_overdue(self) -> None:
        """Kills those that do not end, or no longer tell how they are: a process of which no
        thread runs any more cannot end itself."""
        silence_s = self._options.stuck_after_s
        for child in self._children():
            if time.monotonic() >= child.kill_at:
                log.error("process %d did not end in time: killing it", child.pid)
                child.kill()
            elif child.to_be_heard and 0 < silence_s < child.silent_s:
                log.error(
                    "process %d has told nothing for %.0f s, so that none of its threads runs:"
                    " killing it",
                    child.pid,
                    child.silent_s,
                )
                child.kill()

    def _bury(self) -> None:
        for place in self._places:
            child = place.child
            code = None if child is None else child.exit_code()
            if child is not None and code is not None:
                for message in child.messages():
                    self._note(child, message)
                place.child = None
                child.close()
                self._replace(place, child, code)

    def _replace(self, place: Place, child: Child, code: int) -> None:
        if self._stopping:
            # One that had nothing to do yet ends by the signal itself.
            self._codes.append(code if child.loaded or code == Exit.MEND else Exit.DRAINED)
        elif child.asked_to_end:
            place.start_now()
        elif code == Exit.MEND and self._watcher is not None:
            self._watcher.watch(())
            self._tell_once(logging.WARNING, "waiting for an edit")
            place.start_never()
        elif code == Exit.MEND:
            self._codes.append(code)
            self._stop()
        else:
            wait_s = place.wait_after(time.monotonic() - child.started_at)
            when = f"in {wait_s:.1f} s" if wait_s else "at once"
            log.error(
                "process %d (pid %d) %s; another starts %s",
                place.number,
                child.pid,
                "was killed" if child.killed else how_it_ended(code),
                when,
            )
