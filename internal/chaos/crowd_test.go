package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

// A crowd is clients of the nodes behind a proxy: some post in rooms, others have
// subscribed to them.
type crowd struct {
	t     *testing.T
	addr  string // of the proxy
	rooms []*room
	conns []*rpc.Conn

	ctx     context.Context // until the crowd is closed
	cancel  context.CancelFunc
	running sync.WaitGroup

	subscribers []*subscriber
	progress    chan struct{} // has a value when a subscriber has got something since it was looked at
	publishers  sync.WaitGroup
	closing     chan struct{} // closed when publishers are to end

	deliveries, again atomic.Int64
	delays            times // from the store to a subscriber
	known             times // until a publisher knew that its post is stored
	offline           times // of connections
}

// A subscriber has subscribed to a room.
type subscriber struct {
	room *room
	conn *rpc.Conn
	got  atomic.Int64 // events
	last atomic.Int64 // when the last of them was stored, in nanoseconds
}

// pace is the time from a post of a publisher to its next.
const pace = 200 * time.Millisecond

// newCrowd connects a crowd to a proxy.
func newCrowd(t *testing.T, addr string, rooms, subscribers, publishers int) *crowd {
	t.Helper()
	c := &crowd{t: t, addr: addr, progress: make(chan struct{}, 1), closing: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	t.Cleanup(c.close)
	for i := range rooms {
		c.rooms = append(c.rooms, newRoom(fmt.Sprint("room", i)))
	}
	for i := range subscribers {
		c.subscribers = append(c.subscribers, &subscriber{room: c.rooms[i%rooms], conn: c.dial()})
	}
	for _, s := range c.subscribers {
		c.running.Go(func() {
			if err := c.read(s); err != nil && c.ctx.Err() == nil {
				t.Errorf("a subscriber of %s, behind %d events: %v", s.room.name, s.got.Load(), err)
			}
		})
	}
	for i := range publishers {
		conn := c.dial()
		c.publishers.Go(func() { c.publish(c.rooms[i%rooms], fmt.Sprint("author", i), NewBoardClient(conn)) })
	}
	return c
}

// close ends all that the crowd does.
func (c *crowd) close() {
	c.cancel()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.running.Wait()
}

// dial connects a client.
func (c *crowd) dial() *rpc.Conn {
	c.t.Helper()
	conn, err := rpc.Dial(c.t.Context(), "ws://"+c.addr, &rpc.DialOptions{
		Resume: true, Limits: limits, Logger: slog.New(slog.DiscardHandler),
		Reconnect: rpc.Reconnect{RetryFirst: true, MaxDelay: 2 * time.Second, DrainSpread: 2 * time.Second},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.conns = append(c.conns, conn)
	c.running.Go(func() { c.watch(conn) })
	return conn
}

// watch measures how long a connection has no socket.
func (c *crowd) watch(conn *rpc.Conn) {
	var since time.Time
	for st := range conn.States(c.ctx) {
		switch online := st.Phase == rpc.Connected; {
		case !online && since.IsZero():
			since = time.Now()
		case online && !since.IsZero():
			c.offline.add(time.Since(since))
			since = time.Time{}
		}
	}
}

// read reads a room until the crowd is closed.
func (c *crowd) read(s *subscriber) error {
	posts, err := NewBoardClient(s.conn).Posts(c.ctx, s.room.name, "")
	if err != nil {
		return err
	}
	n := 0
	for e, err := range posts {
		if err != nil {
			return err
		}
		if err := s.room.got(n, e); err != nil {
			return err
		}
		n++
		c.delays.add(time.Since(e.Time))
		c.deliveries.Add(1)
		s.got.Store(int64(n))
		s.last.Store(e.Time.UnixNano())
		select {
		case c.progress <- struct{}{}:
		default:
		}
	}
	return nil
}

// publish posts until the crowd closes. Each post is repeated until it is known to be
// stored.
func (c *crowd) publish(r *room, author string, to Board) {
	for n := 1; ; n++ {
		began := time.Now()
		for p := (Post{author, n}); ; c.again.Add(1) {
			at, err := post(to, r, p)
			if err == nil {
				r.acknowledge(p, at)
				break
			}
			if time.Since(began) > patience {
				c.t.Errorf("%v: %v", p, err)
				return
			}
		}
		c.known.add(time.Since(began))
		select {
		case <-time.After(pace):
		case <-c.closing:
			return
		}
	}
}

func post(to Board, r *room, p Post) (topic.Seq, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return to.Post(ctx, r.name, p)
}

// dialGuest connects a client that is of no crowd.
func dialGuest(t *testing.T, addr string) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), "ws://"+addr, &rpc.DialOptions{
		Resume: true, Limits: limits, Logger: slog.New(slog.DiscardHandler),
		Reconnect: rpc.Reconnect{RetryFirst: true, MaxDelay: 500 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// patience is after how long a test fails that waits for something. It is less than the time
// for which ids are remembered.
const patience = 100 * time.Second

// await waits until something is so of each subscriber.
func (c *crowd) await(what string, so func(s *subscriber) bool) {
	c.t.Helper()
	late := time.After(patience)
	for _, s := range c.subscribers {
		for !so(s) {
			select {
			case <-c.progress:
			case <-late:
				c.t.Fatalf("%s: a subscriber of %s has %d events, in the state %+v", what, s.room.name, s.got.Load(), s.conn.State())
			}
		}
	}
}

// awaitLater waits until each subscriber has got an event that was stored after a time.
func (c *crowd) awaitLater(what string, at time.Time) {
	c.t.Helper()
	c.await(what, func(s *subscriber) bool { return s.last.Load() > at.UnixNano() })
}

// settle ends the publishers, checks everything that is stored in a bus, and closes the
// crowd, before nodes are killed at the end of the test.
func (c *crowd) settle(bus topic.Bus) {
	c.t.Helper()
	close(c.closing)
	c.publishers.Wait()
	logs := make(map[*room][]topic.Event[Post])
	stored := 0
	for _, r := range c.rooms {
		log, err := r.log(c.t.Context(), bus)
		if err != nil {
			c.t.Fatal(err)
		}
		logs[r] = log
		stored += len(log)
	}
	c.await("at the end", func(s *subscriber) bool { return s.got.Load() >= int64(len(logs[s.room])) })
	for r, log := range logs {
		r.check(c.t, log)
	}
	c.close()
	c.t.Logf("%d posts, %d of them repeated, %d deliveries to %d subscribers, each once and in order; gaps: none", stored, c.again.Load(), c.deliveries.Load(), len(c.subscribers))
	c.t.Logf("from the store to a subscriber: %v", &c.delays)
	c.t.Logf("until a post is known to be stored: %v", &c.known)
	c.t.Logf("connections without a socket: %v", &c.offline)
}
