"""Forks for a process that has threads: a copy of it from before it had any makes them.

A fork of a process with threads inherits locks that nobody will ever open. So a worker forks such a copy at its very
beginning, when no model is in its memory and all code is; a child then takes milliseconds, and shares that memory.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from django.db import connections

from workers.connections import client

logger = logging.getLogger(__name__)


class Child:
    """A process that runs what it was told."""

    def __init__(self, report: socket.socket) -> None:
        self._report = report

    def wait(self) -> int | None:
        """Its exit status when it has ended; negative after a signal. None: its own parent died, and it may live."""
        with self._report, self._report.makefile("r") as report:
            line = report.readline()
        return int(line) if line else None


class Forker:
    """The copy, made where this is made. Its children call `run` with the words that they are given.

    Where one ends with another status than 0, its witness, a process of its own that outlives this one, calls `judge`
    with the status and the words.
    """

    def __init__(self, run: Callable[..., None], judge: Callable[..., None]) -> None:
        connections.close_all()
        client().connection_pool.disconnect()
        self._requests, requests = socket.socketpair()
        if not os.fork():
            try:  # whatever happens, the copy must not go on as a second worker
                self._requests.close()
                _serve(requests, run, judge)
            finally:
                os._exit(1)
        requests.close()

    def start(self, *words: str) -> Child:
        """Fork a child for these words, none of which has a space in it. Raises `OSError` if the copy has died."""
        report, witness = socket.socketpair()
        with witness:
            socket.send_fds(self._requests, [b"!"], [witness.fileno()])
        report.sendall(f"{' '.join(words)}\n".encode())
        return Child(report)


def _serve(requests: socket.socket, run: Callable[..., None], judge: Callable[..., None]) -> NoReturn:
    """Until the process that this is a copy of has ended. Nobody has to wait for those who are forked here."""
    gc.freeze()  # a child that looks through all of it would have to copy it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for sent_to_the_group in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sent_to_the_group, signal.SIG_IGN)
    while True:
        begin, descriptors, *_ = socket.recv_fds(requests, 1, 1)
        if not begin:
            os._exit(0)
        with socket.socket(fileno=descriptors[0]) as report:
            if not os.fork():
                try:
                    requests.close()
                    _witness(report, run, judge)
                finally:
                    os._exit(1)


def _witness(report: socket.socket, run: Callable[..., None], judge: Callable[..., None]) -> NoReturn:
    """Fork the child, judge how it ended, and say so."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with report.makefile("r") as told:
        words = told.readline().split()
    child = os.fork()
    if not child:
        report.close()
        _run(run, words)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        if status:
            judge(status, *words)
    except Exception:
        logger.exception("How %s ended could not be told", " ".join(words))
    finally:
        with suppress(OSError):  # the worker may be gone
            report.sendall(f"{status}\n".encode())
        os._exit(0)


def _run(run: Callable[..., None], words: list[str]) -> NoReturn:
    status = 1
    try:
        run(*words)
        status = 0
    except BaseException:
        logger.exception("A process ends by what it ran")
    finally:
        os._exit(status)
