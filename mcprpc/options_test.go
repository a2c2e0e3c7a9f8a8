package mcprpc

import (
	"testing"
	"testing/synctest"
	"time"
)

// The time of streams is half of a call's, and bounded without one.
func TestStreamTimes(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 10 * time.Second: 5 * time.Second, time.Hour: 30 * time.Second, -1: 30 * time.Second} {
		o, err := (&Options{Timeout: timeout}).withDefaults()
		if err != nil || o.streamTime() != want {
			t.Errorf("a timeout of %v: streams of %v, want %v", timeout, o.streamTime(), want)
		}
	}
}

// Without a limit a call may take its time.
func TestNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		c := overMemory(t, b, &Options{Timeout: -1}, nil)
		go func() {
			<-b.waiting
			time.Sleep(24 * time.Hour)
			b.release <- struct{}{}
		}()
		if got := text(t, call(t, c, "Toolbox_Wait", `{}`)); got != "Done: there is no result." {
			t.Error(got)
		}
	})
}
