package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/rpc"
)

// errEnough ends a stream after Options.Items.
var errEnough = errors.New("enough items")

// A client makes calls on connections in turn.
type client struct {
	*run
	conns []Conn
}

// connecting is how many connections are opened at once before the run begins.
const connecting = 16

func (c *client) connect(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, c.Conns)
	c.conns, c.links = make([]Conn, c.Conns), make([]*Link, c.Conns)
	room := make(chan struct{}, connecting)
	for i := range c.conns {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			c.links[i] = new(Link)
			c.conns[i], errs[i] = c.Dial(ctx, c.links[i])
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		c.close()
		return firstOf(errs)
	}
	return c.cuttable()
}

func firstOf(errs []error) error {
	for i, err := range errs {
		if err != nil && i > 0 {
			return fmt.Errorf("connection %d: %w", i+1, err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// cuttable gives the links their connections.
func (c *client) cuttable() error {
	for i, conn := range c.conns {
		dialed, ok := conn.Caller.(*rpc.Conn)
		if c.Cut > 0 && (!ok || c.links[i].dials == 0) {
			c.close()
			return errors.New("only sockets can be cut: neither a POST nor a program has one")
		}
		c.links[i].conn = dialed
	}
	return nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		if conn.Close != nil {
			conn.Close()
		}
	}
}

// call makes a call, or opens a stream and reads it.
func (c *client) call(m moment) error {
	call, err := c.Call(m.n, c.uploaded)
	if err != nil {
		return err
	}
	ctx := c.calling
	if c.Streams {
		ctx = c.sending
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	s := &stream{run: c.run, m: m}
	err = call.Make(ctx, c.conns[m.n%int64(len(c.conns))], &dynamic.Handler{Result: s.result, Item: s.item})
	if err != nil && c.Streams && errors.Is(context.Cause(c.sending), errOver) {
		return errOver
	}
	return err
}

// uploaded counts an item that a call sends.
func (c *client) uploaded(size int64) {
	c.rec.mu.Lock()
	defer c.rec.mu.Unlock()
	if now := time.Now(); !now.Before(c.rec.start) && !now.After(c.rec.stop) {
		c.rec.items++
		c.rec.bytes += size
	}
}

// A stream is what has come of one call.
type stream struct {
	*run
	m      moment
	items  int
	last   time.Time // when the last item came
	before int64     // its value of the sequence
}

func (s *stream) result(_ string, v dynamic.JSON) error {
	if s.Seq == nil || s.Streams {
		return nil
	}
	n, ok := s.value(v)
	if !ok {
		return fmt.Errorf("the result has no number at %v", s.Seq)
	}
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	s.rec.seq.result(n)
	return nil
}

func (s *stream) item(_ string, v dynamic.JSON) error {
	now := time.Now()
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	if s.Seq != nil {
		n, ok := s.value(v)
		if !ok {
			return fmt.Errorf("the item has no number at %v", s.Seq)
		}
		s.before = s.rec.seq.item(n, s.before, s.items == 0)
	}
	s.arrived(now, len(v))
	s.items++
	s.last = now
	if s.items == s.Items {
		return errEnough
	}
	return nil
}

// arrived records an item, unless that is of the warm-up. Streams that were opened in the
// warm-up may last, and their items count from its end.
func (s *stream) arrived(now time.Time, size int) {
	if now.Before(s.rec.start) || now.After(s.rec.stop) {
		return
	}
	s.rec.items++
	s.rec.bytes += int64(size)
	switch {
	case s.items > 0:
		s.rec.gaps.record(now.Sub(s.last))
	case s.m.measured:
		s.rec.took(s.m, now.Sub(s.m.due))
	}
}
