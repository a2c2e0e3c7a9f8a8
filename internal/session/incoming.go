package session

import (
	"bytes"
	"context"
	"fmt"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// An incoming is a call or a notification of the peer's, from the moment the
// reader has seen it until it has been answered and its streams have ended.
type Incoming struct {
	Session       *Session
	served        Served // that this is part of
	Method        *Method
	ID            []byte        // raw; nil for a notification
	idRoom        [16]byte      // for an ordinary one
	Params        []byte        // raw, a chunk
	large         *[]byte       // or in this one
	meta          string        // raw
	reservedBytes int           // bytes that it has reserved
	size          int           // of a notification's message
	Deep          bool          // see wire.Message
	Unclaimed     []*RecvStream // that nobody has claimed
	Reply         func([]byte)  // where the answer goes; nil is the connection

	base           callContext
	Ctx            context.Context // base's child
	cancelContext  context.CancelCauseFunc
	scope          callScope
	Withdrawn      bool              // not wanted any more before it could start
	hold           *hold             // of a notification, or that a call waits for; guarded by the connection's mutex
	stopWaitTimers func()            // of a call that has one
	canceled       bool              // by the caller; guarded by the connection's mutex
	answered       bool              // guarded by the same: response is final
	response       map[string]string // metadata
}

// A servedMethod is a method that the peer may call.
type Method struct {
	Name   string
	Cursor bool          // its stream is continued by another call
	Order  *Ordering     // that its calls and notifications keep with others; nil for none
	New    func() Served // makes what serves one call
}

// An ordering is kept by the calls and notifications of all methods that share it:
// those of one service.
type Ordering struct{ _ byte }

// A served is what serves one call. It has the incoming as a part of it, or each call
// would be allocated twice.
type Served interface {
	// core returns that part.
	Core() *Incoming

	// serve runs the handler and answers the call, by release and then answer or
	// fail, also where the handler ends the goroutine.
	Serve()
}

// newIncoming makes a call or a notification of method.
func (s *Session) newIncoming(method *Method) *Incoming {
	served := method.New()
	in := served.Core()
	in.Session, in.served, in.Method = s, served, method
	return in
}

// A callContext is the connection's context with the call among its values.
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

// callOf is the call whose handler ctx belongs to.
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

// request takes in a request of the peer's in wirecall mode. The reader calls
// it. What it returns is the peer's breach of the protocol.
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

// admit decides whether a request, whose id is a number in wirecall mode, may run,
// and counts it. A cancelled call whose handler still runs is still there. What is
// counted is what the peer can count, or one that keeps to the limit would be
// refused: not notifications, and not a handler whose answer the peer may have.
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
		s.unansweredCalls.Add(1) // a plain peer's when they start
	}
	if m.ID != nil {
		in.ID = append(in.idRoom[:0], m.ID...)
		st.incoming[string(callKeyOf(m.ID))] = in
	}
	return in, nil
}

// What a byte of an id and one of the metadata costs: an id is kept twice, and
// echoed in an answer that may wait; metadata is kept as it came, and many short
// strings in a map take several times their bytes.
const (
	idCost   = 4
	metaCost = 8
)

// callKeyOf is what an id is known by while its call is open: there are two ways to
// write 0.
func callKeyOf(id []byte) []byte {
	if string(id) == "-0" {
		return id[1:]
	}
	return id
}

// reserve makes room for what is kept of m while the call runs.
func (in *Incoming) reserve(m *wire.Message) bool {
	in.reservedBytes = idCost*len(m.ID) + len(m.Params) + metaCost*len(m.Meta)
	return in.Session.reserve(in.reservedBytes)
}

func (in *Incoming) unreserve() { in.Session.buffered.Add(-int64(in.reservedBytes)) }

// accept makes an admitted call ready and gives it to a worker.
func (s *Session) startCall(in *Incoming, m *wire.Message) {
	in.copyMessage(m, in.hold != nil)
	in.begin(s.current.Load(), m.Timeout)
	s.dispatch(in)
}

// keep keeps what of m lives longer than its frame. What waits for its turn, perhaps
// for long, gets no larger a buffer than it needs.
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
	if held, chunk := in.Session.retain(m.Params); chunk != nil {
		large := chunk // small ones allocate nothing
		in.Params, in.large = held, &large
	} else {
		in.Params = append(buffers.Get(len(m.Params)), m.Params...)
	}
}

// begin makes the call's context.
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
	if canceled { // while it waited to start
		in.Withdrawn = true
		in.cancel()
	}
	in.scope.add(ctx, 0, nil, in.Unclaimed)
}

// cancel ends the call's context because the caller wants no answer any more.
func (in *Incoming) cancel() {
	in.cancelContext(context.Canceled)
	in.scope.cancelStreams(context.Canceled)
}

// refuse answers a request that does not run. The reader calls it.
func (s *Session) refuse(id []byte, e *fault.Error) {
	s.post(s.refusal(id, e))
}

// run is a worker's.
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

// release gives back what only the handler needs: the parameters, and the streams
// among them that nobody has claimed.
func (in *Incoming) Release() {
	for _, rs := range in.Unclaimed {
		rs.Cancel(context.Canceled)
	}
	in.releaseParams()
	in.unreserve()
}

// forget gives back what the parameters are in.
func (in *Incoming) releaseParams() {
	if in.large != nil {
		buffers.Put(*in.large)
	} else {
		buffers.Put(in.Params)
	}
	in.Params, in.large = nil, nil
}

// cancelRequest hears that the peer no longer wants an answer.
func (s *Session) cancelRequest(id []byte) {
	var in *Incoming
	s.update(func(st *sessionState) {
		if in = st.incoming[string(callKeyOf(id))]; in != nil {
			in.canceled = true
			if in.Ctx == nil {
				in = nil // begin looks
			}
		}
	})
	if in != nil {
		in.cancel()
	}
}
