package stress

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// processUsage returns the CPU time of this process, and its resident memory in
// bytes.
func processUsage() (cpu time.Duration, rss int, err error) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0, 0, err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &rss); err == nil {
			rss <<= 10
		}
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), rss, nil
}
