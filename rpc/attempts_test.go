package rpc

import (
	"testing"
	"time"
)

// What a connection was good for decides whether the delays begin anew.
func TestAttempts(t *testing.T) {
	options := Reconnect{MinDelay: 100 * time.Millisecond, MaxDelay: 30 * time.Second}
	const Brief, long = time.Millisecond, time.Minute
	for name, test := range map[string]struct {
		before            attempts
		carried, breached bool
		lasted            time.Duration
		least, most       time.Duration // of the next delay
	}{
		"of use":                      {attempts{failed: 5}, true, false, 2 * time.Second, 0, 100 * time.Millisecond},
		"of no use":                   {attempts{failed: 5}, false, false, 2 * time.Second, 1600 * time.Millisecond, 3200 * time.Millisecond},
		"of no use, but lasting":      {attempts{failed: 5}, false, false, proven, 0, 100 * time.Millisecond},
		"first brief one":             {attempts{}, true, false, Brief, 0, 100 * time.Millisecond},
		"second brief one":            {attempts{brief: 1}, true, false, Brief, 200 * time.Millisecond, 200 * time.Millisecond},
		"tenth brief one":             {attempts{brief: 9}, true, false, Brief, time.Second, time.Second},
		"longer after brief ones":     {attempts{brief: 9}, true, false, time.Second, 0, 100 * time.Millisecond},
		"no use after brief ones":     {attempts{brief: 9}, false, false, Brief, 0, 100 * time.Millisecond},
		"broke the protocol":          {attempts{failed: 5}, true, true, 29 * time.Second, 1600 * time.Millisecond, 3200 * time.Millisecond},
		"broke the protocol late":     {attempts{failed: 5}, true, true, long, 0, 100 * time.Millisecond},
		"told to stay away":           {attempts{least: time.Minute}, true, false, long, time.Minute, time.Minute},
		"told to stay away for less":  {attempts{failed: 9, least: time.Second}, false, false, Brief, 15 * time.Second, 30 * time.Second},
		"not for longer than longest": {attempts{failed: 99}, false, false, Brief, 15 * time.Second, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			a := test.before
			a.judge(test.carried, test.breached, test.lasted, options.MaxDelay)
			failed := a.failed
			if d := a.next(&options); d < test.least || d > test.most {
				t.Errorf("the next delay is %v, want %v to %v", d, test.least, test.most)
			}
			if a.failed != failed+1 || a.least != 0 {
				t.Errorf("%+v after an attempt that followed %d", a, failed)
			}
		})
	}
}

// The least delay behind connections that do not last is within MaxDelay.
func TestBriefConnectionsWithinMaxDelay(t *testing.T) {
	options := Reconnect{MinDelay: 100 * time.Millisecond, MaxDelay: 300 * time.Millisecond}
	for brief, want := range map[int]time.Duration{2: 200 * time.Millisecond, 3: 300 * time.Millisecond, 9: 300 * time.Millisecond} {
		a := attempts{brief: brief}
		if d := a.next(&options); d != want {
			t.Errorf("behind %d of them the delay is %v, want %v", brief, d, want)
		}
	}
}
