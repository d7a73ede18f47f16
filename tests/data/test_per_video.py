"""One result a video: no more processes than videos, and a worker that is killed is one error."""

import os
import signal

import joblib
import pytest

from evis.data import per_video
from evis.data.errors import DataError


def killed(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize(
    ("jobs", "videos", "used"), [(1024, 2, 2), (2, 5, 2), (7, 0, 1), (-1, 2, -1), (None, 2, None)]
)
def test_no_more_processes_are_started_than_there_are_videos(monkeypatch, jobs, videos, used):
    asked = []

    def parallel(number, **how):
        asked.append(number)
        return joblib_parallel(1, **how)

    joblib_parallel = joblib.Parallel
    monkeypatch.setattr(joblib, "Parallel", parallel)
    calls = [joblib.delayed(abs)(-n) for n in range(videos)]
    assert list(per_video.results(calls, jobs, "count", False)) == list(range(videos))
    assert asked == [used]


def test_a_process_that_the_system_kills_is_one_line_with_what_to_do():
    calls = [joblib.delayed(killed)(n) for n in range(4)]
    with pytest.raises(DataError, match="was killed .* memory ran out. Run it again with fewer"):
        list(per_video.results(calls, 2, "count", False))
