"""While a video's windows come, freed memory stays at hand; after the last one it is given back."""

import platform
import subprocess
import sys

import pytest

# In a process of its own, whose heap nothing else has shaped. What the heap takes from the system
# is asked for whenever a window's tracks are added.
HEAPS = """
import ctypes, sys
import numpy as np, torch
from evis.inference import Options, one_video, tracks
from evis.models import VideoMask2Former, allocator, named

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefghij"]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Info
add, heaps = tracks.Tracks.add, []

def noted(self, *arguments):
    add(self, *arguments)
    heaps.append(mallinfo().a)

def count_heaps():  # a line each, after what Python wrote
    print(flush=True)
    libc = ctypes.CDLL(None)
    stdout = ctypes.c_void_p.in_dll(libc, "stdout")
    libc.malloc_info(0, stdout)
    libc.fflush(stdout)

tracks.Tracks.add = noted
torch.manual_seed(0)
torch.set_num_threads(1)
frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
model = VideoMask2Former(named("tiny_s", 40))
count_heaps()
allocator.share_one_heap()
one_video.predict(model, [frame] * 32 * 8, Options(window=32), progress=False)
count_heaps()
print(*heaps, mallinfo().a)
"""


@pytest.fixture(scope="module")
def told() -> str:
    command = [sys.executable, "-c", HEAPS]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


LIBRARY, VERSION = platform.libc_ver()
HAS_COUNTERS = LIBRARY == "glibc" and tuple(map(int, VERSION.split(".")[:2])) >= (2, 33)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_COUNTERS, reason="mallinfo2 is glibc's, from 2.33 on"),
]


def test_the_heap_is_never_cut_between_windows_and_handed_back_after_the_last(told):
    *windows, after = map(int, told.splitlines()[-1].split())
    assert len(windows) == 8
    assert windows == sorted(windows)
    assert after < windows[-1]


def test_the_thread_that_reads_ahead_has_no_heap_of_its_own(told):
    before, after = (part.count("<heap nr=") for part in told.split("<malloc ")[1:])
    assert before == after
