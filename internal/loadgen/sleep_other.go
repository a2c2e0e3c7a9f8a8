//go:build !linux

package loadgen

import "time"

// Sleep sleeps as exactly as the system allows.
func Sleep(d time.Duration) { time.Sleep(d) }
