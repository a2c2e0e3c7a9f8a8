package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
)

// profileEnv is set to the folder for profiles in the environment of children
// that shall make some.
const profileEnv = "WIRECALL_BENCH_PROFILE"

// cpuProfile is that of this process, from its beginning.
var cpuProfile bytes.Buffer

func startProfiles() error {
	if os.Getenv(profileEnv) == "" {
		return nil
	}
	runtime.SetMutexProfileFraction(1)
	return pprof.StartCPUProfile(&cpuProfile)
}

// Profile ends the profiles of the process and writes them to files that begin
// with name: of CPU time, of allocations, of waiting for mutexes, and how long
// goroutines that were ready to run waited for a processor.
func (*Control) Profile(name string, _ *Nothing) error {
	pprof.StopCPUProfile()
	base := filepath.Join(os.Getenv(profileEnv), name)
	if err := os.WriteFile(base+".cpu", cpuProfile.Bytes(), 0o666); err != nil {
		return err
	}
	for _, kind := range []string{"allocs", "mutex"} {
		f, err := os.Create(base + "." + kind)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.Lookup(kind).WriteTo(f, 0); err != nil {
			return err
		}
	}
	return os.WriteFile(base+".sched", schedulerLatencies(), 0o666)
}

func schedulerLatencies() []byte {
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	var total, sum uint64
	for _, n := range h.Counts {
		total += n
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "goroutines made ready: %d\n", total)
	for _, q := range []float64{0.5, 0.9, 0.99} {
		sum = 0
		for i, n := range h.Counts {
			if sum += n; float64(sum) >= q*float64(total) {
				fmt.Fprintf(&b, "p%g: ran within %.1f µs\n", 100*q, h.Buckets[i+1]*1e6)
				break
			}
		}
	}
	return b.Bytes()
}
