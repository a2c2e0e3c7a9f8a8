package chaos

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc/topic"
)

// NATS comes back without anything that it had stored. The nodes go on: posts are stored
// again, and each subscriber is told of the gap, once, and gets what comes after it.
func TestStoreLost(t *testing.T) {
	t.Parallel()
	const subscribers = 20
	s := newSite(t, &options{})
	r := newRoom("room")
	to := NewBoardClient(dialGuest(t, s.balancer.addr))
	publish := func(n int) {
		t.Helper()
		for began := time.Now(); ; {
			_, err := post(to, r, Post{"author", n})
			if err == nil {
				return
			}
			if time.Since(began) > patience {
				t.Fatal(err)
			}
		}
	}
	publish(1)
	var first, last sync.WaitGroup
	var gaps atomic.Int64
	for range subscribers {
		from := NewBoardClient(dialGuest(t, s.balancer.addr))
		first.Add(1)
		last.Go(func() {
			one := sync.OnceFunc(first.Done)
			defer one()
			for after := topic.Seq(""); ; {
				posts, err := from.Posts(t.Context(), r.name, after)
				for e, end := range posts {
					if err = end; err != nil || e.Value.N == 3 {
						break
					}
					one()
				}
				gap, ok := errors.AsType[*topic.GapError](err)
				if !ok {
					if err != nil {
						t.Error(err)
					}
					return
				}
				gaps.Add(1)
				after = gap.Begin
			}
		})
	}
	first.Wait()
	s.nats[0].kill()
	if err := os.RemoveAll(s.nats[0].folder); err != nil {
		t.Fatal(err)
	}
	s.nats[0].start()
	began := time.Now()
	publish(2)
	t.Logf("a post was stored after %v", time.Since(began))
	publish(3)
	last.Wait()
	if n := gaps.Load(); n != subscribers {
		t.Errorf("%d subscribers were told of %d gaps", subscribers, n)
	}
}
