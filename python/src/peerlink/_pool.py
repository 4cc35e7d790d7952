"""Threads that run what the event pump must not wait for.

All of them are daemons, so that a handler that hangs cannot keep the
interpreter from exiting. (concurrent.futures joins its workers at exit.)
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

logger = logging.getLogger("peerlink")

Job = Callable[[], None]


class WorkerPool:
    """At most *size* named daemon threads, and at most *backlog* jobs waiting for them.

    Threads start when there is work for them. submit may be called by one
    thread at a time, everything else from any thread.
    """

    def __init__(self, name: str, size: int, backlog: int) -> None:
        self._name, self._size, self._backlog = name, size, backlog
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, job: Job) -> bool:
        """Queue *job*; False if the backlog is full or the pool is closed."""
        if self._closed or self._jobs.qsize() >= self._backlog:
            return False
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._size:
            self._spawn()
        return True

    def has_room(self) -> bool:
        """True if a job would run at once."""
        if len(self._threads) < self._size:
            return not self._closed
        if not self._idle.acquire(blocking=False):
            return False
        self._idle.release()
        return not self._closed

    def owns_current_thread(self) -> bool:
        """True inside a job of this pool."""
        return threading.current_thread() in self._threads

    def close(self) -> None:
        """Drop the jobs that have not begun and let the threads end. Does not wait."""
        self._closed = True
        try:
            while True:
                self._jobs.get_nowait()
        except queue.Empty:
            pass
        for _ in range(self._size):
            self._jobs.put(None)

    def join(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds for the threads, except the current one; True if they ended."""
        deadline = time.monotonic() + timeout
        others = [t for t in self._threads if t is not threading.current_thread()]
        for thread in others:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in others)

    def _spawn(self) -> None:
        name = f"{self._name}-{len(self._threads)}" if self._size > 1 else self._name
        thread = threading.Thread(target=_work, args=(self._jobs, self._idle), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()


def _work(jobs: queue.SimpleQueue[Job | None], idle: threading.Semaphore) -> None:
    while (job := jobs.get()) is not None:
        try:
            job()
        except Exception:  # a job is user code in the end; the thread serves others too
            logger.exception("PeerLink: a job failed")
        job = None  # an idle thread keeps no node alive
        idle.release()
