"""Runs a program on an emulated x86-64 CPU, whose instructions this machine need not have.

    pip install bochscpu-python
    python3 tests/emulate.py CPU PROGRAM [ARGUMENT ...]

CPU is a model of Bochs (https://bochs.sourceforge.io): tigerlake (AVX-512 with VNNI), arrow_lake (AVX-VNNI without
AVX-512), corei7_haswell_4770 (AVX2) and others. Not sapphire_rapids: Bochs executes VCVTNE2PS2BF16 wrongly. PROGRAM must
be linked statically and at a fixed address. Of Linux it gets memory, threads, clocks and output, which is enough for the
tests of micse-kernels. Threads take turns: one runs until it waits or ends. CONTRIBUTING.md has the commands.
"""

import collections
import ctypes
import importlib
import mmap
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

PAGE = 4096
# The program's memory; physical addresses are the same.
LOW, HIGH = 0x20_0000, 0x20_0000 + (640 << 20)
STACK = 4 << 20
HEAP = 8 << 20
# The page that system calls jump to, and the page tables.
ENTRY, TABLES = 0x1_0000, 0x1_0000_0000
# On entry, stop the emulator; then return to the program.
ENTRY_CODE = b"\xf4\x48\x0f\x07"  # hlt; sysretq
LARGEST = 2**64 - 1
# The descriptor of a file of random numbers.
RANDOM = 3
ENOENT, EAGAIN, ENOMEM, EINVAL, ENOSYS, ETIMEDOUT = 2, 11, 12, 22, 38, 110

# bochscpu-python's wheel needs glibc 2.38; these are the functions that an older one lacks.
SHIM = r"""
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
unsigned long long __isoc23_strtoull(const char *text, char **end, int base) { return strtoull(text, end, base); }
int __isoc23_sscanf(const char *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int read = vsscanf(text, format, arguments);
    va_end(arguments);
    return read;
}
"""


def load_bochs():
    try:
        return importlib.import_module("bochscpu")
    except ImportError as error:
        if "__isoc23" not in str(error):
            sys.exit(f"emulate: {error}\nInstall the emulator: pip install bochscpu-python")
    with tempfile.TemporaryDirectory() as folder:
        source, library = f"{folder}/shim.c", f"{folder}/shim.so"
        with open(source, "w", encoding="utf-8") as file:
            file.write(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    for name in [name for name in sys.modules if name.startswith("bochscpu")]:
        del sys.modules[name]
    return importlib.import_module("bochscpu")


bochscpu = load_bochs()
from bochscpu import cpu as modes, memory  # noqa: E402


def choose_cpu(name):
    """The package offers no choice: its constructor of the default model becomes a jump to the wanted one."""
    library = ctypes.CDLL(bochscpu._bochscpu.__file__)
    symbol = lambda model: f"_Z{len(model) + 13}create_{model}_cpuidP8BX_CPU_C"
    try:
        default, wanted = (
            ctypes.cast(getattr(library, symbol(model)), ctypes.c_void_p).value for model in ("corei3_cnl", name)
        )
    except AttributeError:
        sys.exit(f"emulate: bochscpu has no CPU {name!r}; try tigerlake or arrow_lake")
    if wanted != default:
        code = b"\x48\xb8" + struct.pack("<Q", wanted) + b"\xff\xe0"  # movabs rax, wanted; jmp rax
        first = default & -PAGE
        size = default + len(code) - first
        if ctypes.CDLL(None).mprotect(ctypes.c_void_p(first), ctypes.c_size_t(size), 7) != 0:
            sys.exit("emulate: the code of bochscpu cannot be changed")
        ctypes.memmove(default, code, len(code))


class Memory:
    """The program's memory: one area of the host's, with a list of what is free."""

    def __init__(self):
        self.bytes = mmap.mmap(-1, HIGH - LOW)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))
        self.free_areas = []
        entry = mmap.mmap(-1, PAGE)
        entry[: len(ENTRY_CODE)] = ENTRY_CODE
        self.entry = ctypes.c_char.from_buffer(entry)
        # Also the owner of the tables' pages.
        self.tables = memory.PageMapLevel4Table()
        pages = [(page, self.address + page - LOW) for page in range(LOW, HIGH, PAGE)]
        for page, host in [(ENTRY, ctypes.addressof(self.entry)), *pages]:
            self.tables.insert(page, page, 1)  # writable
            memory.page_insert(page, host)
        for host, page in self.tables.commit(TABLES):
            memory.page_insert(page, host)

    def read(self, at, size):
        return self.bytes[at - LOW : at - LOW + size]

    def write(self, at, data):
        self.bytes[at - LOW : at - LOW + len(data)] = data

    def clear(self, at, size):
        ctypes.memset(self.address + at - LOW, 0, size)

    def allocate(self, size):
        size = pages_of(size)
        for number, (start, end) in enumerate(self.free_areas):
            if end - start >= size:
                self.free_areas[number] = (start + size, end)
                self.clear(start, size)
                return start
        return -ENOMEM

    def release(self, at, size):
        merged = []
        for start, end in sorted([*self.free_areas, (at, at + pages_of(size))]):
            if merged and merged[-1][1] >= start:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self.free_areas = merged


def pages_of(size):
    return (size + PAGE - 1) & -PAGE


def segment(selector, attributes, base=0):
    made = bochscpu.Segment()
    made.present, made.selector, made.attr = True, selector, attributes
    made.base, made.limit = base, 0xFFFF_FFFF
    return made


def data_segment(base=0):
    return segment(0x1B, 0xC0F3, base)


class Program:
    """A program in memory and its threads, each a state of the CPU."""

    def __init__(self, arguments):
        self.memory = Memory()
        self.ready = collections.deque()
        self.waiting = []  # (address, state, thread, whether it ends by itself)
        self.thread = self.threads = 1
        self.cleared_at_end = {}
        self.session = bochscpu.Session()
        self.faults = []
        self.hooks = bochscpu.Hook()
        self.hooks.hlt = lambda session, _: session.stop()
        self.hooks.exception = self.on_exception
        self.state = self.load(arguments)

    def on_exception(self, session, _, vector, error):
        self.faults.append((vector, error))
        session.stop()

    def load(self, arguments):
        with open(arguments[0], "rb") as file:
            elf = file.read()
        kind, machine = struct.unpack_from("<HH", elf, 16) if elf[:4] == b"\x7fELF" else (0, 0)
        if (kind, machine) != (2, 62):
            sys.exit(f"emulate: {arguments[0]} is not a program for x86-64 at a fixed address (see CONTRIBUTING.md)")
        start, headers = struct.unpack_from("<QQ", elf, 24)
        (count,) = struct.unpack_from("<H", elf, 56)
        end = table = 0
        for number in range(count):
            kind, _, offset, at, _, stored, size, _ = struct.unpack_from("<IIQQQQQQ", elf, headers + 56 * number)
            if kind == 3:
                sys.exit(f"emulate: {arguments[0]} is linked dynamically (see CONTRIBUTING.md)")
            if kind == 1:
                self.memory.write(at, elf[offset : offset + stored])
                end = max(end, at + size)
                if offset <= headers < offset + stored:
                    table = at + headers - offset
        self.heap = self.heap_start = pages_of(end)
        self.memory.free_areas = [(self.heap_start + HEAP, HIGH - STACK)]
        state = bochscpu.State()
        modes.set_long_mode(state)
        state.cr0 = state.cr0 & ~(1 << 18 | 0b1110) | 0b10  # vector instructions, no alignment checks
        state.cr3 = TABLES
        state.cr4 |= 1 << 9 | 1 << 10 | 1 << 16 | 1 << 18  # SSE, its exceptions, fs and gs, extended states
        state.cs = segment(0x23, 0xA0FB)
        for name in ("ds", "es", "ss", "fs", "gs"):
            setattr(state, name, data_segment())
        state.star, state.lstar, state.sfmask = 0x13 << 48 | 0x8 << 32, ENTRY, 0x200
        state.rflags, state.mxcsr, state.mxcsr_mask, state.fpcw = 0x2, 0x1F80, 0xFFFF, 0x37F
        state.xcr0 = self.supported_registers(state)
        state.rip, state.rsp = start, self.stack(arguments, start, table, count)
        return state

    def supported_registers(self, state):
        """The sets of registers that CPUID 0xD lists, but for those of AMX."""
        at = HIGH - PAGE
        self.memory.write(at, b"\x0f\xa2\x0f\x05")  # cpuid; syscall
        state.xcr0, state.rip, state.rax, state.rcx = 1, at, 0xD, 0
        return self.run(state).rax & 0xE7

    def stack(self, arguments, start, table, count):
        top = HIGH

        def push(data):
            nonlocal top
            top -= len(data)
            self.memory.write(top, data)
            return top

        texts = [push(argument.encode() + b"\0") for argument in arguments]
        seed = push(random.Random(1).randbytes(16))
        # Program headers, page size, entry, and the random bytes.
        auxiliary = [3, table, 4, 56, 5, count, 6, PAGE, 9, start, 25, seed, 0, 0]
        words = [len(texts), *texts, 0, 0, *auxiliary]
        top = (top - 8 * len(words)) & -16
        self.memory.write(top, struct.pack(f"<{len(words)}Q", *words))
        return top

    def run(self, state):
        """Runs a thread to its next system call."""
        self.session.cpu.state = state
        self.session.run([self.hooks])
        state = self.session.cpu.state
        if self.faults:
            code = self.memory.read(state.rip, 16).hex() if LOW <= state.rip < HIGH else ""
            name = {6: "unknown instruction", 13: "protection fault", 14: "page fault"}
            vector, error = self.faults[0]
            what = name.get(vector, f"exception {vector}")
            sys.exit(f"emulate: {what} (error {error}, cr2 {state.cr2:#x}) at {state.rip:#x}: {code}")
        return state

    def run_to_end(self):
        while True:
            self.state = self.run(self.state)
            arguments = [getattr(self.state, name) for name in ("rdi", "rsi", "rdx", "r10", "r8", "r9")]
            call = CALLS.get(self.state.rax)
            if call is None:
                sys.exit(f"emulate: the program needs system call {self.state.rax}, which is not emulated")
            result = call(self, *arguments)
            if result is not None:
                self.state.rax = result & LARGEST

    def next_thread(self):
        """Goes on with a thread that can run; if all wait, with one whose wait ends by itself."""
        if not self.ready:
            timed = next((waiting for waiting in self.waiting if waiting[3]), None)
            if timed is None:
                sys.exit("emulate: all threads wait for each other")
            self.waiting.remove(timed)
            timed[1].rax = -ETIMEDOUT & LARGEST
            self.ready.append(timed[1:3])
        self.state, self.thread = self.ready.popleft()

    def wake(self, address, count):
        woken = [waiting for waiting in self.waiting if waiting[0] == address][:count]
        for waiting in woken:
            self.waiting.remove(waiting)
            waiting[1].rax = 0
            self.ready.append(waiting[1:3])
        return len(woken)

    def write(self, file, at, size, *_):
        os.write(1 if file == 1 else 2, self.memory.read(at, size))
        return size

    def write_parts(self, file, at, count, *_):
        parts = struct.iter_unpack("<QQ", self.memory.read(at, 16 * count))
        return sum(self.write(file, *part) for part in parts)

    def map(self, at, size, _protection, flags, *_):
        if flags & 0x10:  # at this address
            self.memory.clear(at, pages_of(size))
            return at
        return self.memory.allocate(size)

    def unmap(self, at, size, *_):
        self.memory.release(at, size)
        return 0

    def remap(self, at, old, new, *_):
        moved = self.memory.allocate(new)
        if moved > 0:
            self.memory.write(moved, self.memory.read(at, min(old, new)))
            self.memory.release(at, old)
        return moved

    def set_heap(self, end, *_):
        if self.heap_start <= end < self.heap_start + HEAP:
            self.heap = end
        return self.heap

    def set_thread_pointer(self, code, base, *_):
        if code != 0x1002:
            return -EINVAL
        self.state.fs = data_segment(base)
        return 0

    def clear_at_end(self, at, *_):
        self.cleared_at_end[self.thread] = at
        return self.thread

    def affinity(self, _thread, size, at, *_):
        self.memory.write(at, struct.pack("<Q", 0b111))
        return min(size, 8)

    def clock(self, _clock, at, *_):
        self.memory.write(at, struct.pack("<QQ", *divmod(time.time_ns(), 10**9)))
        return 0

    def open(self, _folder, path, *_):
        """The only files are those of random numbers."""
        name = self.memory.read(path, 13).split(b"\0")[0]
        return RANDOM if name in (b"/dev/random", b"/dev/urandom") else -ENOENT

    def read(self, file, at, size, *_):
        return self.random(at, size) if file == RANDOM else -ENOSYS

    def random(self, at, size, *_):
        self.memory.write(at, os.urandom(size))
        return size

    def limits(self, _process, _which, _new, at, *_):
        if at:
            self.memory.write(at, struct.pack("<QQ", STACK, LARGEST))
        return 0

    def yield_turn(self, *_):
        self.state.rax = 0
        self.ready.append((self.state, self.thread))
        self.next_thread()

    def clone(self, flags, stack, parent_at, child_at, pointer, *_):
        self.threads += 1
        child = self.session.cpu.state
        child.rax, child.rsp, child.fs = 0, stack, data_segment(pointer)
        number = struct.pack("<I", self.threads)
        if flags & 0x10_0000:
            self.memory.write(parent_at, number)
        if flags & 0x100_0000:
            self.memory.write(child_at, number)
        if flags & 0x20_0000:
            self.cleared_at_end[self.threads] = child_at
        self.ready.append((child, self.threads))
        return self.threads

    def futex(self, at, operation, value, timeout, *_):
        operation &= 0x7F
        if operation in (0, 9):
            if struct.unpack("<I", self.memory.read(at, 4))[0] != value & 0xFFFF_FFFF:
                return -EAGAIN
            self.waiting.append((at, self.state, self.thread, timeout != 0))
            return self.next_thread()
        return self.wake(at, value) if operation in (1, 10) else -ENOSYS

    def end_thread(self, *_):
        if at := self.cleared_at_end.get(self.thread):
            self.memory.write(at, bytes(4))
            self.wake(at, 1)
        self.next_thread()

    def end(self, status, *_):
        # Without the destructors of the emulator, which fail.
        os._exit(status & 0xFF)


def answer(value):
    return lambda *_: value


# By number, for x86-64 (`man 2 syscalls`).
CALLS = {
    1: Program.write,
    20: Program.write_parts,
    9: Program.map,
    11: Program.unmap,
    25: Program.remap,
    12: Program.set_heap,
    24: Program.yield_turn,
    35: Program.yield_turn,  # nanosleep
    230: Program.yield_turn,  # clock_nanosleep
    39: lambda program, *_: program.thread,  # getpid
    186: lambda program, *_: program.thread,  # gettid
    56: Program.clone,
    60: Program.end_thread,
    231: Program.end,
    158: Program.set_thread_pointer,
    202: Program.futex,
    204: Program.affinity,
    218: Program.clear_at_end,
    228: Program.clock,
    302: Program.limits,
    318: Program.random,
    # poll, mprotect, signals, madvise, sigaltstack, prctl, set_robust_list
    **dict.fromkeys([7, 10, 13, 14, 28, 131, 157, 273], answer(0)),
    0: Program.read,
    257: Program.open,
    # There are no other files: stat, access, getcwd, readlink and their relatives.
    **dict.fromkeys([4, 5, 6, 21, 79, 89, 262, 267, 332], answer(-ENOENT)),
    # close, ioctl, fcntl, rseq, clone3
    **dict.fromkeys([3, 16, 72, 334, 435], answer(-ENOSYS)),
}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    choose_cpu(sys.argv[1])
    Program(sys.argv[2:]).run_to_end()


if __name__ == "__main__":
    try:
        main()
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        sys.stdout.flush()
        # Without the destructors of the emulator, which fail.
        os._exit(error.code if isinstance(error.code, int) else 1)
