"""What a tracer meets in Python programs: exceptions through deep stacks, threads, forks, a library that comes and goes. The
argument is a library to load."""
import _ctypes
import json
import os
import subprocess
import sys
import threading


def deep(depth):
    if depth == 0:
        raise ValueError("x" * 50)
    return deep(depth - 1) + [depth]


def work(seed):
    found = 0
    for i in range(60):
        try:
            deep(i % 40)
        except ValueError as error:
            found += len(str(error))
        found += len(json.dumps({str(n): [n] * (n % 9) for n in range(i * seed % 60)}))
    return found


sums = [0] * 4


def run(at):
    sums[at] = work(at + 1)


threads = [threading.Thread(target=run, args=(at,)) for at in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for _ in range(10):
    _ctypes.dlclose(_ctypes.dlopen(sys.argv[1], os.RTLD_NOW))
child = os.fork()
if child == 0:
    os._exit(9 if work(2) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(subprocess.run(["echo", "from a child"], capture_output=True, text=True).stdout, end="")
print(sum(sums))
