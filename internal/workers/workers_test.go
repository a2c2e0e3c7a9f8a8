package workers_test

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/workers"
)

// Work that blocks holds up no other.
func TestBlockedWorkHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blocked = 100
		var p workers.Pool[int]
		release := make(chan bool)
		var mu sync.Mutex
		ran := make(map[int]bool)
		p.Init(func(n int) {
			if n < blocked {
				<-release
			}
			mu.Lock()
			defer mu.Unlock()
			ran[n] = true
		})
		for n := range blocked + 50 {
			p.Go(n)
		}
		synctest.Wait()
		if len(ran) != 50 {
			t.Errorf("%d ran beside those that block, want 50", len(ran))
		}
		close(release)
		synctest.Wait()
		if len(ran) != blocked+50 {
			t.Errorf("%d ran, want all %d", len(ran), blocked+50)
		}
		p.End()
	})
}

// Workers that have had nothing to do for a while end; the pool goes on.
func TestIdleWorkersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p workers.Pool[func()]
		p.Init(func(f func()) { f() })
		for range 3 {
			release := make(chan bool)
			for range 10 {
				p.Go(func() { <-release })
				synctest.Wait() // for each of them blocks
			}
			close(release)
			synctest.Wait()
			if _, parked := p.Stats(); parked != 10 {
				t.Errorf("%d workers wait for work, want 10", parked)
			}
			ran := false
			p.Go(func() { ran = true })
			synctest.Wait()
			if _, parked := p.Stats(); !ran || parked != 10 {
				t.Errorf("the work ran: %v; %d workers wait, want the same 10", ran, parked)
			}
			time.Sleep(time.Minute)
			if waiting, parked := p.Stats(); waiting+parked != 0 {
				t.Errorf("after a minute %d workers wait, %d pieces of work", parked, waiting)
			}
		}
		p.End()
	})
}

// The end of a pool ends its workers, and loses no work.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails while a goroutine is left
		var p workers.Pool[func()]
		p.Init(func(f func()) { f() })
		ran := 0
		p.Go(func() { ran++ })
		synctest.Wait()
		p.End()
		p.Go(func() { ran++ })
		synctest.Wait()
		if ran != 2 {
			t.Errorf("%d ran, want 2", ran)
		}
	})
}

// Work may end its goroutine, as a test's FailNow does.
func TestWorkThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p workers.Pool[func()]
		p.Init(func(f func()) { f() })
		ran := false
		p.Go(func() { runtime.Goexit() })
		p.Go(func() { ran = true })
		synctest.Wait()
		if !ran {
			t.Error("nothing ran after it")
		}
		p.End()
	})
}

// A worker waits for its next work for a second, however long ago it has waited before.
func TestWorkerWaitsForASecondEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p workers.Pool[func()]
		p.Init(func(f func()) { f() })
		for range 3 {
			p.Go(func() {})
			time.Sleep(900 * time.Millisecond)
			if _, parked := p.Stats(); parked != 1 {
				t.Errorf("%d workers wait, want 1", parked)
			}
		}
		time.Sleep(200 * time.Millisecond)
		if _, parked := p.Stats(); parked != 0 {
			t.Errorf("%d workers wait, want none", parked)
		}
		p.End()
	})
}
