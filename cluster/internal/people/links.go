package people

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// A linkTo is where a link leads, and the codec of what it carries.
type linkTo struct{ node, codec string }

// A link is a connection to the gate of another node.
type link struct {
	to     linkTo
	dialed chan struct{} // closed when conn or err is set
	conn   *rpc.Conn
	err    error

	users int       // callers between get and put; guarded by links.mu
	used  time.Time // when the last put it; likewise
}

// links has a link for each node and codec that is called. They are dialed when they are
// needed, and closed after a time without a call or a stream.
type links struct {
	opts   *Options
	ctx    context.Context // ends with close
	cancel context.CancelFunc

	mu   sync.Mutex
	open map[linkTo]*link
}

func newLinks(opts *Options) *links {
	l := &links{opts: opts, open: make(map[linkTo]*link)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// get returns a link, which the caller must put back.
func (ls *links) get(ctx context.Context, to linkTo) (*link, error) {
	l := ls.hold(to)
	select {
	case <-l.dialed:
	case <-ctx.Done():
		ls.put(l)
		return nil, context.Cause(ctx)
	}
	if l.err != nil {
		ls.put(l)
		return nil, l.err
	}
	return l, nil
}

// hold returns a link that may still be dialed.
func (ls *links) hold(to linkTo) *link {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.open[to]
	if l == nil {
		l = &link{to: to, dialed: make(chan struct{})}
		ls.open[to] = l
		go ls.dial(l)
	}
	l.users++
	return l
}

// put gives a link back.
func (ls *links) put(l *link) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.users--
	l.used = time.Now()
}

// dial connects a link, and takes it out of the table when it ends.
func (ls *links) dial(l *link) {
	defer close(l.dialed)
	ctx, cancel := context.WithTimeout(ls.ctx, dialTime)
	defer cancel()
	conn, err := rpc.Dial(ctx, "ws://"+l.to.node, ls.options(l.to))
	if err != nil {
		l.err = unavailable(fmt.Errorf("node %s cannot be reached: %w", l.to.node, errors.Unwrap(err)))
		ls.remove(l)
		return
	}
	l.conn = conn
	contract.AfterEnd(conn, func() { ls.remove(l) })
	time.AfterFunc(ls.opts.IdleTime, func() { ls.closeIdle(l) })
}

const (
	// dialTime bounds the dialing of a link.
	dialTime = 10 * time.Second

	// resumeTime is how long the calls and streams on a link that was cut wait for the next one.
	resumeTime = time.Minute
)

// linkLimits are the limits of both sides of a link, which carries the calls to all
// clients of a node.
var linkLimits = rpc.Limits{
	MessageBytes:  16 << 20,
	Calls:         16 << 10,
	Streams:       16 << 10,
	BufferedBytes: 128 << 20,
	ReplayBytes:   4 << 20,
}

var codecs = map[string]codec.Codec{codec.JSON.Name(): codec.JSON, cbor.Codec.Name(): cbor.Codec}

func (ls *links) options(to linkTo) *rpc.DialOptions {
	return &rpc.DialOptions{
		Codec:     codecs[to.codec],
		NetDial:   func(ctx context.Context, _, _ string) (net.Conn, error) { return ls.opts.Dial(ctx, to.node) },
		Resume:    true,
		Reconnect: rpc.Reconnect{MaxDelay: time.Second},
		Limits:    linkLimits,
		Logger:    ls.opts.Logger,
	}
}

// remove takes a link out of the table.
func (ls *links) remove(l *link) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.open[l.to] == l {
		delete(ls.open, l.to)
	}
}

// closeIdle closes a link that has not been used for a while. Otherwise it looks again
// after that time.
func (ls *links) closeIdle(l *link) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.open[l.to] != l {
		return
	}
	st := l.conn.Stats()
	if wait := ls.opts.IdleTime - time.Since(l.used); l.users > 0 || st.StreamsSent+st.StreamsTaken > 0 || wait > 0 {
		time.AfterFunc(max(wait, ls.opts.IdleTime/2), func() { ls.closeIdle(l) })
		return
	}
	delete(ls.open, l.to)
	go l.conn.Close()
}

// close closes all links.
func (ls *links) close() {
	ls.cancel()
	ls.mu.Lock()
	open := ls.open
	ls.open = make(map[linkTo]*link)
	ls.mu.Unlock()
	for _, l := range open {
		if <-l.dialed; l.conn != nil {
			l.conn.Close()
		}
	}
}
