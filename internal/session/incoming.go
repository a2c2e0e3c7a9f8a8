package session

import (
	"bytes"
	"context"
	"fmt"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// An Incoming is a call or a notification from the peer, from its arrival until it has
// been answered and its streams have ended.
type Incoming struct {
	Session       *Session
	served        Served // the Served of which this is a part
	Method        *Method
	ID            []byte        // encoded; nil for a notification
	idRoom        [16]byte      // backs ID if that is short
	Params        []byte        // encoded, in a pooled buffer
	large         *[]byte       // the pooled buffer of large params; nil otherwise
	meta          string        // encoded
	reservedBytes int           // counted in Session.buffered
	size          int           // bytes of a notification's message
	Deep          bool          // see wire.Message
	Unclaimed     []*RecvStream // streams that no parameter refers to
	Reply         func([]byte)  // receives the answer; nil for the send queue

	base           callContext
	Ctx            context.Context // a child of base
	cancelContext  context.CancelCauseFunc
	scope          callScope
	Withdrawn      bool              // cancelled before its handler started
	hold           *hold             // a notification's own, or the one that a call waits for; guarded by the session's mutex
	stopWaitTimers func()            // stops the timers of a call that waits for a hold
	canceled       bool              // by the caller; guarded by the session's mutex
	answered       bool              // response no longer changes; guarded by the session's mutex
	response       map[string]string // metadata of the answer; guarded by the session's mutex
}

// A Method is a method that the peer may call.
type Method struct {
	Name   string
	Cursor bool          // its stream is continued by another call
	Order  *Ordering     // that of its service; nil for none
	New    func() Served // makes what serves one call
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

// A callContext is the context of the session with the call among its values.
type callContext struct {
	context.Context
	in *Incoming
}

type callKey struct{}

func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.in
	}
	return c.Context.Value(key)
}

// CallFromContext returns the call whose handler ctx belongs to, or nil if ctx belongs
// to none.
func CallFromContext(ctx context.Context) *Incoming {
	in, _ := ctx.Value(callKey{}).(*Incoming)
	return in
}

func (in *Incoming) Metadata() map[string]string {
	if in.meta == "" {
		return nil
	}
	return decodeMeta(in.Session.Format, []byte(in.meta))
}

func (in *Incoming) SetMetadata(key, value string) {
	in.Session.mu.Lock()
	defer in.Session.mu.Unlock()
	if in.answered {
		return
	}
	if in.response == nil {
		in.response = make(map[string]string)
	}
	in.response[key] = value
}

// incomingRequest receives a request in wirecall mode. The reader calls it. It returns
// an error if the peer has violated the protocol.
func (s *Session) incomingRequest(id int64, m *wire.Message) error {
	method := s.Lookup(m.Method)
	var in *Incoming
	var refusal *fault.Error
	var recvStreams []*RecvStream
	var err error
	s.update(func(st *sessionState) {
		if st.ended {
			return
		}
		if _, open := st.incoming[string(callKeyOf(m.ID))]; open {
			err = fmt.Errorf("id %s is open already", Brief(m.ID))
			return
		}
		if recvStreams, err = s.openRecvStreams(st, m.Streams, wire.CalleeDepth); err != nil && !isLimit(err) {
			return
		}
		if !st.refusesNew {
			st.highestTaken = max(st.highestTaken, id)
		}
		in, refusal = s.admit(st, id, m, method)
		if err != nil && refusal == nil {
			st.handlers--
			s.unansweredCalls.Add(-1)
			delete(st.incoming, string(callKeyOf(m.ID)))
			in.unreserve()
			refusal = &fault.Error{Code: fault.LimitReached, Message: overStreams("callee", s.Limits.Streams, false).Error(), Ran: fault.No}
		}
		err = nil
	})
	switch {
	case err != nil:
		return err
	case refusal != nil:
		if s.Refused != nil {
			s.Refused(s, m.Method, refusal)
		}
		s.refuse(m.ID, refusal)
		s.cancelRefused(recvStreams)
	case in != nil:
		in.Unclaimed = recvStreams
		s.startCall(in, m)
	}
	return nil
}

// admit decides whether a request may run, and counts it. id is the id as a number in
// wirecall mode. Only what the peer can count as well counts against Limits.Calls, or a
// peer that keeps to the limit would be refused: a cancelled call whose handler still
// runs counts until it is answered; notifications, and handlers that have been answered,
// do not count.
func (s *Session) admit(st *sessionState, id int64, m *wire.Message, method *Method) (*Incoming, *fault.Error) {
	switch {
	case st.refusesNew && (s.Mode == ModePlain || id > st.highestTaken):
		return nil, &fault.Error{Code: fault.Unavailable, Message: fault.MessageShuttingDown, Ran: fault.No}
	case method == nil:
		return nil, &fault.Error{Code: fault.MethodNotFound, Message: "method not found: " + Brief(m.Method)}
	case s.Mode == ModePlain && len(st.waitingCalls) >= maxWaiting,
		s.Mode != ModePlain && s.unansweredCalls.Load() >= int64(s.Limits.Calls),
		st.cleanups >= s.Limits.Calls:
		return nil, &fault.Error{Code: fault.LimitReached, Message: "too many calls at once", Ran: fault.No}
	}
	in := s.newIncoming(method)
	if !in.reserve(m) {
		return nil, &fault.Error{Code: fault.LimitReached, Message: errBufferedFull.Message, Ran: fault.No}
	}
	st.handlers++
	s.assignHold(st, in)
	if s.Mode != ModePlain {
		s.unansweredCalls.Add(1) // calls of a plain peer are counted when they start
	}
	if m.ID != nil {
		in.ID = append(in.idRoom[:0], m.ID...)
		st.incoming[string(callKeyOf(m.ID))] = in
	}
	return in, nil
}

// The cost in bytes of a byte of an id and of the metadata. An id is kept twice, and
// sent back in an answer that may wait. Metadata is decoded to a map, whose many short
// strings take up several times their length.
const (
	idCost   = 4
	metaCost = 8
)

// callKeyOf returns the key of an open call: its id, with one spelling of 0.
func callKeyOf(id []byte) []byte {
	if string(id) == "-0" {
		return id[1:]
	}
	return id
}

// reserve counts what is kept of m while the call runs, and reports whether the limit
// allows it.
func (in *Incoming) reserve(m *wire.Message) bool {
	in.reservedBytes = idCost*len(m.ID) + len(m.Params) + metaCost*len(m.Meta)
	return in.Session.reserve(in.reservedBytes)
}

func (in *Incoming) unreserve() { in.Session.buffered.Add(-int64(in.reservedBytes)) }

// startCall prepares an admitted call and passes it to a worker, or makes it wait for a
// hold.
func (s *Session) startCall(in *Incoming, m *wire.Message) {
	in.copyMessage(m, in.hold != nil)
	in.begin(s.current.Load(), m.Timeout)
	s.dispatch(in)
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
	if held, buffer := in.Session.retain(m.Params); buffer != nil {
		large := buffer // a variable that escapes only in this case
		in.Params, in.large = held, &large
	} else {
		in.Params = append(buffers.Get(len(m.Params)), m.Params...)
	}
}

// begin makes the context of the call.
func (in *Incoming) begin(ctx context.Context, timeout int64) {
	s := in.Session
	in.base = callContext{ctx, in}
	ctx, in.cancelContext = context.WithCancelCause(&in.base)
	if timeout > 0 {
		cancel := in.cancelContext
		limited, stop := context.WithTimeout(ctx, Milliseconds(timeout))
		ctx, in.cancelContext = limited, func(cause error) { cancel(cause); stop() }
	}
	in.scope = callScope{open: 1, cancelContext: in.cancelContext, explicitCancel: timeout <= 0, cursor: in.Method.Cursor}
	s.mu.Lock()
	in.Ctx = ctx
	canceled := in.canceled
	s.mu.Unlock()
	if canceled { // before the context existed
		in.Withdrawn = true
		in.cancel()
	}
	in.scope.add(ctx, 0, nil, in.Unclaimed)
}

// cancel ends the call's context for a caller that no longer waits for the answer.
func (in *Incoming) cancel() {
	in.cancelContext(context.Canceled)
	in.scope.cancelStreams(context.Canceled)
}

// refuse answers a request that is not run. The reader calls it.
func (s *Session) refuse(id []byte, e *fault.Error) {
	s.post(s.refusal(id, e))
}

// run serves the call. A worker calls it.
func (in *Incoming) run() {
	defer func() {
		in.scope.done()
		in.Session.update(func(st *sessionState) { st.handlers-- })
		if in.Session.Mode == ModePlain {
			in.Session.startPlain(nil)
		}
	}()
	in.served.Serve()
}

// Release returns what only the handler needs: the parameters and their unclaimed
// streams.
func (in *Incoming) Release() {
	for _, rs := range in.Unclaimed {
		rs.Cancel(context.Canceled)
	}
	in.releaseParams()
	in.unreserve()
}

// releaseParams returns the buffer of the parameters to the pool.
func (in *Incoming) releaseParams() {
	if in.large != nil {
		buffers.Put(*in.large)
	} else {
		buffers.Put(in.Params)
	}
	in.Params, in.large = nil, nil
}

// cancelRequest receives $/cancelRequest: it cancels the call with that id, if it is
// open.
func (s *Session) cancelRequest(id []byte) {
	var in *Incoming
	s.update(func(st *sessionState) {
		if in = st.incoming[string(callKeyOf(id))]; in != nil {
			in.canceled = true
			if in.Ctx == nil {
				in = nil // begin checks canceled
			}
		}
	})
	if in != nil {
		in.cancel()
	}
}
