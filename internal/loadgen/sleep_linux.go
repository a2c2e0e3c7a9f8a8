package loadgen

import (
	"syscall"
	"time"
)

// Sleep sleeps more exactly than time.Sleep, which a process that is otherwise idle gets a
// millisecond of at least.
func Sleep(d time.Duration) {
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	syscall.Nanosleep(&ts, nil)
}
