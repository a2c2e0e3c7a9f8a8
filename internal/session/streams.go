package session

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// openSendStreams makes a send stream for each producer of a message that is about to
// be sent, and the names that it has them under, nil for a nil producer. In plain mode
// they are subscriptions to method. served says that the message is an answer.
func (c *Session) openSendStreams(method string, producers []Producer, acct *account, Served bool) (streams []*SendStream, names [][]byte, err error) {
	if len(producers) == 0 {
		return nil, nil, nil
	}
	handles := make([]uint64, len(producers)) // 0 for none
	c.update(func(s *connState) {
		before := s.nextHandle
		for i, p := range producers {
			if p != nil {
				s.nextHandle++
				s.countSource(Served, 1)
				handles[i] = s.nextHandle
			}
		}
		switch {
		case s.nextHandle-before > wire.MaxStreams && c.Mode == ModeWirecall:
			err = errMessageStreams
		case s.sources > s.peerStreams:
			err = overStreams(side(!Served), s.peerStreams, Served)
		case Served && s.served > c.Limits.Streams:
			err = overStreams("callee", c.Limits.Streams, true)
		}
	})
	for i, h := range handles {
		var name []byte
		if h != 0 {
			s := c.newSendStream(producers[i], h, acct)
			s.served = Served
			streams = append(streams, s)
			name = c.streamName(nil, h)
			if c.Mode == ModePlain {
				s.sub = newSubscription(c.Format, method, name)
			}
		}
		names = append(names, name)
	}
	if err != nil {
		c.update(func(s *connState) { s.countSource(Served, -len(streams)) })
		return nil, nil, err
	}
	c.out.open(streams)
	return streams, names, nil
}

// countSource counts n sources, of answers or of calls of ours.
func (s *connState) countSource(Served bool, n int) {
	s.sources += n
	if Served {
		s.served += n
	}
}

// streamName appends what stands for a stream in params and results: its
// handle, in plain mode the id of a subscription.
func (c *Session) streamName(dst []byte, handle uint64) []byte {
	if c.Mode == ModePlain {
		return fmt.Appendf(dst, `"0x%x"`, handle)
	}
	return c.Format.AppendID(dst, handle)
}

var errMessageStreams = fmt.Errorf("a message can introduce %d streams at most", wire.MaxStreams)

// discard takes sources back that no message has introduced.
func (c *Session) discard(sources []*SendStream) {
	if len(sources) == 0 {
		return
	}
	c.out.forget(sources)
	c.update(func(s *connState) { s.countSource(sources[0].served, -len(sources)) })
}

func (o *outbox) open(sources []*SendStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if o.sending == nil {
		o.sending = make(map[uint64]*SendStream)
	}
	for _, s := range sources {
		o.sending[s.handle] = s
	}
}

// produced returns the sources that are open.
func (o *outbox) produced() []*SendStream {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Values(o.sending))
}

func (o *outbox) forget(sources []*SendStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range sources {
		delete(o.sending, s.handle)
	}
}

func (o *outbox) sendStream(handle uint64) *SendStream {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sending[handle]
}

// takeFinished reports the sources whose end has been said since it was last
// asked: of answers, and of calls of ours.
func (o *outbox) takeFinished() (Served, own int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	Served, own = o.finishedServed, o.finishedOwn
	o.finishedServed, o.finishedOwn = 0, 0
	return Served, own
}

var errStreamLimit = &fault.Error{Code: fault.LimitReached, Message: "too many streams at once"}

// overStreams says whose limit of streams a call is over, and what became of it.
func overStreams(whose string, limit int, ran bool) error {
	fate := "has not run"
	if ran {
		fate = "has run"
	}
	return fmt.Errorf("too many streams at once: over Limits.Streams of the %s, which is %d; the handler %s", whose, limit, fate)
}

func side(callee bool) string {
	if callee {
		return "callee"
	}
	return "caller"
}

func isLimit(err error) bool { return err == error(errStreamLimit) }

// register makes sinks for the handles that a message lists, before anything
// behind it is read. Over the limit the message is refused, but its streams
// are known all the same: the peer does not know of the refusal yet. One that
// goes on is a protocol error. depth is how deep their items may nest.
func (c *Session) register(s *connState, handles []uint64, depth int) (sinks []*RecvStream, err error) {
	for _, h := range handles {
		if _, open := s.sinks[h]; open {
			return nil, fmt.Errorf("stream %d is open already", h)
		}
		k := c.newSink(h, depth)
		s.sinks[h] = k
		sinks = append(sinks, k)
	}
	switch n := len(s.sinks); {
	case len(handles) == 0 || n <= c.Limits.Streams:
		return sinks, nil
	case int64(n) > 4*int64(c.Limits.Streams)+4:
		return nil, errors.New("far more streams than the limit allows")
	}
	return sinks, errStreamLimit
}

func (c *Session) cancelAll(sinks []*RecvStream) {
	for _, k := range sinks {
		if k.drop(errStreamLimit) {
			c.post(c.Format.AppendEnd(nil, methodCancel, k.Handle, nil))
		}
		k.settle()
	}
}

// cancelStream tells the peer that one of its streams is not wanted any more.
func (c *Session) cancelStream(handle uint64) {
	c.post(c.Format.AppendEnd(nil, methodCancel, handle, nil))
}

// sink finds a stream of the peer's that is open.
func (c *Session) sink(handle int64) *RecvStream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.sinks[uint64(handle)]
}

// drainRetry is what a server that shuts down says.
const drainRetry = 500 * time.Millisecond

// comeAgain ends the streams that have a cursor: the context of their calls ends, and
// what their producers do then does not change what they end with.
func (o *outbox) comeAgain() {
	var open []*SendStream
	o.mu.Lock()
	o.late = true
	for _, s := range o.sending {
		if s.acct.cursor {
			open = append(open, s)
		}
	}
	o.mu.Unlock()
	for _, s := range open {
		s.stop(&fault.Error{Code: fault.ComeAgain, Message: "come again", Retry: drainRetry})
	}
}

// isLate reports whether comeAgain has been called.
func (o *outbox) isLate() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.late
}

// cleanUp runs f on a goroutine of its own. The session is not idle until it returns.
func (c *Session) CleanUp(f func()) {
	c.update(func(s *connState) { s.cleanups++ })
	go func() {
		defer c.update(func(s *connState) { s.cleanups-- })
		f()
	}()
}
