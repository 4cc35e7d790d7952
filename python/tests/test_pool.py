from __future__ import annotations

import threading
import time

from peerlink._pool import WorkerPool

from .conftest import until


def test_jobs_run_on_few_named_threads() -> None:
    pool, names = WorkerPool("workers", 3, 100), set()
    gate = threading.Barrier(4)

    def job() -> None:
        names.add(threading.current_thread().name)
        gate.wait(5)

    for _ in range(3):
        assert pool.submit(job)
    gate.wait(5)
    assert names == {"workers-0", "workers-1", "workers-2"}
    pool.close()
    assert pool.join(2)


def test_an_idle_thread_is_used_again() -> None:
    pool, names = WorkerPool("reuse", 8, 100), set()
    for _ in range(20):
        done = threading.Event()

        def job(done: threading.Event = done) -> None:
            names.add(threading.current_thread().name)
            done.set()

        pool.submit(job)
        assert done.wait(5)
        time.sleep(0.005)
    assert len(names) <= 2
    pool.close()


def test_a_failing_job_costs_no_thread() -> None:
    pool, done = WorkerPool("fail", 1, 100), threading.Event()
    pool.submit(lambda: 1 / 0)  # type: ignore[arg-type]
    pool.submit(done.set)
    assert done.wait(5)
    pool.close()


def test_the_backlog_is_bounded() -> None:
    pool, gate = WorkerPool("full", 1, 2), threading.Event()
    assert pool.submit(lambda: (gate.wait(5), None)[1])
    until(lambda: pool._jobs.empty())
    assert pool.submit(lambda: None)
    assert pool.submit(lambda: None)
    assert not pool.submit(lambda: None)
    gate.set()
    pool.close()


def test_close_drops_what_has_not_begun() -> None:
    pool, gate, ran = WorkerPool("close", 1, 10), threading.Event(), []
    pool.submit(lambda: (gate.wait(5), None)[1])
    until(lambda: pool._jobs.empty())
    pool.submit(lambda: ran.append(1))
    pool.close()
    gate.set()
    assert pool.join(2)
    assert not ran
    assert not pool.submit(lambda: ran.append(2))
