package workers

import (
	"testing"
	"testing/synctest"
	"time"
)

// A worker that is about to wait when others are reaped is reaped a second later.
func TestReapOfWorkerThatIsAboutToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pool[func()]
		p.Init(func(f func()) { f() })
		p.Go(func() {})
		synctest.Wait()
		p.mu.Lock()
		wake := p.wake
		p.wake = make(chan bool) // where no worker waits yet
		p.mu.Unlock()
		time.Sleep(idleTimeout) // and the reaper looks
		synctest.Wait()
		p.mu.Lock()
		p.wake = wake
		p.mu.Unlock()
		time.Sleep(idleTimeout)
		synctest.Wait()
		if _, parked := p.Stats(); parked != 0 {
			t.Errorf("%d workers wait", parked)
		}
		p.End()
	})
}
