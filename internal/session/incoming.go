package session

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// incomingCalls owns the calls from the peer.
type incomingCalls struct {
	session    *Session
	unanswered atomic.Int64 // calls that are not answered yet; in plain mode, those that have started
	running    atomic.Int64 // handlers that run or wait to run, those of cancelled calls and of notifications included
	cleanups   atomic.Int64 // functions of CleanUp that run

	mu         sync.Mutex
	open       idTable[Incoming] // unanswered calls, in wirecall mode
	highest    int64             // the highest id among the requests from the peer
	refusesNew bool              // requests with an id above highest are refused
	ended      bool              // the session has ended
}

// An Incoming is a call or a notification from the peer, from its arrival until it has
// been answered and its streams have ended.
type Incoming struct {
	Session       *Session
	served        Served // the Served of which this is a part
	Method        *Method
	ID            []byte        // encoded; nil for a notification
	number        uint64        // the id as a number, in wirecall mode
	idRoom        [16]byte      // backs ID if that is short
	Params        []byte        // encoded, in a pooled buffer
	large         *[]byte       // the pooled buffer of large params; nil otherwise
	meta          string        // encoded
	reservedBytes int           // counted in Session.buffered
	size          int           // bytes of a notification's message
	Deep          bool          // see wire.Message
	Unclaimed     []*RecvStream // streams that no parameter refers to
	Reply         func([]byte)  // receives the answer; nil for the send queue

	context        callContext
	Ctx            context.Context // &context once the call has begun; nil before
	scope          callScope
	Withdrawn      bool              // cancelled before its handler started
	hold           *hold             // a notification's own, or the one that a call waits for; guarded by notifications.mu
	stopWaitTimers func()            // stops the timers of a call that waits for a hold
	canceled       bool              // by the caller; guarded by scope.mu
	answered       bool              // response no longer changes, and a cancel has no effect; guarded by scope.mu
	response       map[string]string // metadata of the answer; guarded by scope.mu
	offers         []offer           // guarded by scope.mu
}

// A Method is a method that the peer may call.
type Method struct {
	Name   string
	Cursor bool      // its stream is continued by another call
	Order  *Ordering // that of its service; nil for none

	Subscription *Subscription // of its stream in plain mode; nil if it declares none

	New func() Served // makes what serves one call
}

// An Ordering orders the calls and notifications of all methods that share it: those of
// one service.
type Ordering struct{ _ byte }

// A Served serves one call. Its Incoming is a field of it, so that one allocation
// suffices for both.
type Served interface {
	// Core returns that field.
	Core() *Incoming

	// Serve runs the handler and answers the call: by Release and then BeginResult or
	// Fail, even if the handler exits its goroutine.
	Serve()
}

// newIncoming returns a call or a notification of method.
func (s *Session) newIncoming(method *Method) *Incoming {
	served := method.New()
	in := served.Core()
	in.Session, in.served, in.Method = s, served, method
	return in
}

func (in *Incoming) Metadata() map[string]string {
	if in.meta == "" {
		return nil
	}
	return decodeMeta(in.Session.Format, []byte(in.meta))
}

// SetMetadata adds to the metadata of the answer, unless that has been sent.
func (in *Incoming) SetMetadata(key, value string) {
	in.scope.mu.Lock()
	defer in.scope.mu.Unlock()
	if in.answered {
		return
	}
	if in.response == nil {
		in.response = make(map[string]string)
	}
	in.response[key] = value
}

// request receives a request in wirecall mode. The reader calls it. It returns an error
// if the peer has violated the protocol.
func (c *incomingCalls) request(id int64, m *wire.Message) error {
	s := c.session
	var streams []*RecvStream
	var err error
	if len(m.Streams) > 0 {
		streams, err = s.recv.open(m.Streams, wire.CalleeDepth)
		if err == errEnded {
			return nil
		}
		if err != nil && !isLimit(err) {
			return err
		}
	}
	in, refusal, over := c.admit(id, m, err != nil)
	switch {
	case in != nil:
		s.addWork(1)
		in.Unclaimed = streams
		if in.Method.Order != nil {
			s.notifications.assignHold(in)
		}
		in.copyMessage(m, in.hold != nil)
		in.begin(s.credentials.current.Load(), m.Timeout)
		if in.hold == nil || !s.notifications.waitForHold(in) {
			s.workers.Go(in)
		}
	case refusal != nil:
		c.refused(m, refusal)
		s.queue.post(s.refusal(m.ID, refusal))
		s.recv.refuse(streams)
	case !over:
		return fmt.Errorf("id %s is open already", Brief(m.ID))
	}
	return nil
}

// admit decides whether a request may run, and counts it. tooManyStreams is true if its
// streams exceed the limit. Only what the peer can count as well counts against
// Limits.Calls, or a peer that keeps to the limit would be refused: a cancelled call
// whose handler still runs counts until it is answered; notifications, and handlers that
// have been answered, do not count. admit returns neither a call nor a refusal if the
// id is open already or the session is over.
func (c *incomingCalls) admit(id int64, m *wire.Message, tooManyStreams bool) (in *Incoming, refusal *fault.Error, over bool) {
	s := c.session
	in, refusal = c.newCall(m, c.unanswered.Load() >= int64(s.Limits.Calls))
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.open.get(uint64(id)) != nil || c.ended:
		in.unreserve()
		return nil, nil, c.ended
	case c.refusesNew && id > c.highest:
		refusal = errShuttingDown
	case tooManyStreams && refusal == nil:
		refusal = &fault.Error{Code: fault.LimitReached, Message: overStreams("callee", s.Limits.Streams, false).Error(), Ran: fault.No}
	}
	if !c.refusesNew {
		c.highest = max(c.highest, id)
	}
	if refusal != nil {
		in.unreserve()
		return nil, refusal, false
	}
	c.running.Add(1)
	if in.Method != authMethod {
		c.unanswered.Add(1)
	}
	in.number = uint64(id)
	c.open.put(in.number, in)
	return in, nil, false
}

var (
	errShuttingDown = &fault.Error{Code: fault.Unavailable, Message: fault.MessageShuttingDown, Ran: fault.No}
	errTooManyCalls = &fault.Error{Code: fault.LimitReached, Message: "too many calls at once", Ran: fault.No}
)

// newCall returns a call whose request is m, and counts what is kept of it; or the reason
// why it cannot run. full is true if too many calls run already.
func (c *incomingCalls) newCall(m *wire.Message, full bool) (*Incoming, *fault.Error) {
	s := c.session
	method := s.Lookup(m.Method)
	if method == nil && s.extended && s.Authenticate != nil && string(m.Method) == methodAuth {
		method = authMethod
	}
	switch {
	case method == nil:
		return nil, &fault.Error{Code: fault.MethodNotFound, Message: "method not found: " + Brief(m.Method), Ran: fault.No}
	case method == authMethod:
	case full || c.cleanups.Load() >= int64(s.Limits.Calls):
		return nil, errTooManyCalls
	}
	in := s.newIncoming(method)
	if !in.reserve(m) {
		return nil, &fault.Error{Code: fault.LimitReached, Message: errBufferedFull.Message, Ran: fault.No}
	}
	in.ID = append(in.idRoom[:0], m.ID...)
	return in, nil
}

// refused reports a refused request to Settings.Refused.
func (c *incomingCalls) refused(m *wire.Message, e *fault.Error) {
	if s := c.session; s.Refused != nil {
		s.Refused(s, m.Method, e)
	}
}

// The cost in bytes of a byte of an id and of the metadata. An id is kept twice, and
// sent back in an answer that may wait. Metadata is decoded to a map, whose many short
// strings need several times their length.
const (
	idCost   = 4
	metaCost = 8
)

// reserve counts what is kept of m while the call runs, and reports whether the limit
// allows it.
func (in *Incoming) reserve(m *wire.Message) bool {
	in.reservedBytes = idCost*len(m.ID) + len(m.Params) + metaCost*len(m.Meta)
	return in.Session.reserve(in.reservedBytes)
}

// unreserve undoes reserve. in may be nil.
func (in *Incoming) unreserve() {
	if in != nil {
		in.Session.buffered.Add(-int64(in.reservedBytes))
	}
}

// copyMessage copies what of m must outlive its frame. If waits is true, the call may
// have to wait for long, and the copy gets no larger a buffer than it needs.
func (in *Incoming) copyMessage(m *wire.Message, waits bool) {
	in.meta = string(m.Meta)
	in.Deep = m.Deep
	if waits {
		in.Params = bytes.Clone(m.Params)
		return
	}
	if len(m.Params) == 0 {
		return
	}
	if held, buffer := in.Session.reader.retain(m.Params); buffer != nil {
		large := buffer // a variable that escapes only in this case
		in.Params, in.large = held, &large
	} else {
		in.Params = append(buffers.Get(len(m.Params)), m.Params...)
	}
}

// begin makes the context of the call.
func (in *Incoming) begin(ctx context.Context, timeout int64) {
	in.context.begin(ctx, in, Milliseconds(timeout))
	scope := &in.scope
	scope.context, scope.explicitCancel, scope.cursor = &in.context, timeout <= 0, in.Method.Cursor
	scope.mu.Lock()
	scope.open = 1
	in.Ctx = &in.context
	canceled := in.canceled
	scope.mu.Unlock()
	if canceled { // before the context existed
		in.Withdrawn = true
		in.cancel()
	}
	if len(in.Unclaimed) > 0 {
		scope.add(in.Ctx, 0, nil, in.Unclaimed)
	}
}

// cancel ends the call's context for a caller that no longer waits for the answer.
func (in *Incoming) cancel() {
	in.context.cancel(context.Canceled)
	in.scope.cancelStreams(context.Canceled)
}

// run serves the call. A worker calls it.
func (in *Incoming) run() {
	defer in.leave()
	in.served.Serve()
}

// leave counts a call or a notification whose handler has returned.
func (in *Incoming) leave() {
	s := in.Session
	in.scope.done()
	s.incoming.running.Add(-1)
	if in.ID == nil {
		return // its queue is what counts
	}
	s.addWork(-1)
	s.dialect.left()
}

// Release returns what only the handler needs: the parameters and their unclaimed
// streams.
func (in *Incoming) Release() {
	for _, rs := range in.Unclaimed {
		rs.Cancel(context.Canceled)
	}
	in.unreserve()
	if in.large != nil {
		buffers.Put(*in.large)
	} else {
		buffers.Put(in.Params)
	}
	in.Params, in.large = nil, nil
}

// cancel receives $/cancelRequest: it cancels the call with that id, if it is open.
func (c *incomingCalls) cancel(id int64) {
	c.mu.Lock()
	in := c.open.get(uint64(id))
	c.mu.Unlock()
	if in != nil {
		in.withdraw()
	}
}

// withdraw cancels the call for a caller that no longer waits for the answer. It has no
// effect if the call is being answered.
func (in *Incoming) withdraw() {
	in.scope.mu.Lock()
	begun := in.Ctx != nil
	in.canceled = !in.answered
	canceled := in.canceled
	in.scope.mu.Unlock()
	if canceled && begun { // otherwise begin cancels it
		in.cancel()
	}
}

// remove removes a call that is being answered.
func (c *incomingCalls) remove(in *Incoming) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open.get(in.number) == in {
		c.open.remove(in.number)
	}
}

// refuseNew makes new requests fail, and returns the highest id that was accepted.
func (c *incomingCalls) refuseNew() (last int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusesNew = true
	return c.highest
}

// end makes requests from now on be ignored.
func (c *incomingCalls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
}
