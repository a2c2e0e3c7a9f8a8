package main

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what a process has used since it began, and what it holds.
type Usage struct {
	CPU     time.Duration // user and system, from getrusage
	Mallocs uint64
	Bytes   uint64 // allocated
	Writes  uint64 // write system calls, which the runtime makes too when it wakes its poller
	Sent    int64  // items handed over by producers

	Heap   uint64 // in use
	Stacks uint64
	RSS    uint64
	Peak   uint64 // RSS at most, since the beginning or tidy
}

func readUsage() Usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status := procFile("/proc/self/status")
	return Usage{
		CPU:     cpuTime(),
		Mallocs: m.Mallocs,
		Bytes:   m.TotalAlloc,
		Writes:  procFile("/proc/self/io")["syscw"],
		Sent:    sent.Load(),
		Heap:    m.HeapInuse,
		Stacks:  m.StackInuse,
		RSS:     status["VmRSS"] << 10,
		Peak:    status["VmHWM"] << 10,
	}
}

// tidy collects garbage and gives memory back, has Peak begin anew where the
// system can, and then tells the usage.
func tidy() Usage {
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return readUsage()
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// procFile is the numbers of a file of lines such as "VmRSS:  1234 kB". It is
// empty where the system has no such file.
func procFile(name string) map[string]uint64 {
	fields := map[string]uint64{}
	b, _ := os.ReadFile(name)
	for line := range bytes.Lines(b) {
		key, rest, _ := strings.Cut(string(line), ":")
		if words := strings.Fields(rest); len(words) > 0 {
			if n, err := strconv.ParseUint(words[0], 10, 64); err == nil {
				fields[key] = n
			}
		}
	}
	return fields
}

// since is what was used from before to u; what u holds stays.
func (u Usage) since(before Usage) Usage {
	u.CPU -= before.CPU
	u.Mallocs -= before.Mallocs
	u.Bytes -= before.Bytes
	u.Writes -= before.Writes
	u.Sent -= before.Sent
	return u
}

// plus is two processes' usage together.
func (u Usage) plus(o Usage) Usage {
	return Usage{
		u.CPU + o.CPU, u.Mallocs + o.Mallocs, u.Bytes + o.Bytes, u.Writes + o.Writes, u.Sent + o.Sent,
		u.Heap + o.Heap, u.Stacks + o.Stacks, u.RSS + o.RSS, u.Peak + o.Peak,
	}
}

// machineCPU is how long all processes of the machine have been busy, 0 where
// the system does not say.
func machineCPU() time.Duration {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	var ticks uint64
	for i, word := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 7 { // the name, idle, waiting for disks, guests
			continue
		}
		n, _ := strconv.ParseUint(word, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}
