//go:build !linux

package stress

import (
	"errors"
	"time"
)

// processUsage returns an error: what a process uses is read from Linux's /proc.
func processUsage() (cpu time.Duration, rss int, err error) {
	return 0, 0, errors.ErrUnsupported
}
