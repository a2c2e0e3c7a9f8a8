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
	Session   *Session
	served    Served // that this is part of
	Method    *Method
	ID        []byte        // raw; nil for a notification
	idRoom    [16]byte      // for an ordinary one
	Params    []byte        // raw, a chunk
	large     *[]byte       // or in this one
	meta      string        // raw
	held      int           // bytes that it has reserved
	size      int           // of a notification's message
	Deep      bool          // see wire.Message
	Unclaimed []*RecvStream // that nobody has claimed
	Reply     func([]byte)  // where the answer goes; nil is the connection

	base      callContext
	Ctx       context.Context // base's child
	end       context.CancelCauseFunc
	acct      account
	Withdrawn bool              // not wanted any more before it could start
	hold      *hold             // of a notification, or that a call waits for; guarded by the connection's mutex
	stopWait  func()            // of a call that has one
	canceled  bool              // by the caller; guarded by the connection's mutex
	answered  bool              // guarded by the same: response is final
	response  map[string]string // metadata
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
func (c *Session) newIncoming(method *Method) *Incoming {
	s := method.New()
	in := s.Core()
	in.Session, in.served, in.Method = c, s, method
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
func (c *Session) incomingRequest(id int64, m *wire.Message) error {
	method := c.Lookup(m.Method)
	var in *Incoming
	var refusal *fault.Error
	var sinks []*RecvStream
	var err error
	c.update(func(s *connState) {
		if s.ended {
			return
		}
		if _, open := s.incoming[string(callKeyOf(m.ID))]; open {
			err = fmt.Errorf("id %s is open already", Brief(m.ID))
			return
		}
		if sinks, err = c.register(s, m.Streams, wire.CalleeDepth); err != nil && !isLimit(err) {
			return
		}
		if !s.bounded {
			s.taken = max(s.taken, id)
		}
		in, refusal = c.admit(s, id, m, method)
		if err != nil && refusal == nil {
			s.handlers--
			c.unanswered.Add(-1)
			delete(s.incoming, string(callKeyOf(m.ID)))
			in.unreserve()
			refusal = &fault.Error{Code: fault.LimitReached, Message: overStreams("callee", c.Limits.Streams, false).Error(), Ran: fault.No}
		}
		err = nil
	})
	switch {
	case err != nil:
		return err
	case refusal != nil:
		if c.Refused != nil {
			c.Refused(c, m.Method, refusal)
		}
		c.refuse(m.ID, refusal)
		c.cancelAll(sinks)
	case in != nil:
		in.Unclaimed = sinks
		c.accept(in, m)
	}
	return nil
}

// admit decides whether a request, whose id is a number in wirecall mode, may run,
// and counts it. A cancelled call whose handler still runs is still there. What is
// counted is what the peer can count, or one that keeps to the limit would be
// refused: not notifications, and not a handler whose answer the peer may have.
func (c *Session) admit(s *connState, id int64, m *wire.Message, method *Method) (*Incoming, *fault.Error) {
	switch {
	case s.bounded && (c.Mode == ModePlain || id > s.taken):
		return nil, &fault.Error{Code: fault.Unavailable, Message: fault.MessageShuttingDown, Ran: fault.No}
	case method == nil:
		return nil, &fault.Error{Code: fault.MethodNotFound, Message: "method not found: " + Brief(m.Method)}
	case c.Mode == ModePlain && len(s.waiting) >= maxWaiting,
		c.Mode != ModePlain && c.unanswered.Load() >= int64(c.Limits.Calls),
		s.cleanups >= c.Limits.Calls:
		return nil, &fault.Error{Code: fault.LimitReached, Message: "too many calls at once", Ran: fault.No}
	}
	in := c.newIncoming(method)
	if !in.reserve(m) {
		return nil, &fault.Error{Code: fault.LimitReached, Message: errBufferedFull.Message, Ran: fault.No}
	}
	s.handlers++
	c.order(s, in)
	if c.Mode != ModePlain {
		c.unanswered.Add(1) // a plain peer's when they start
	}
	if m.ID != nil {
		in.ID = append(in.idRoom[:0], m.ID...)
		s.incoming[string(callKeyOf(m.ID))] = in
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
	in.held = idCost*len(m.ID) + len(m.Params) + metaCost*len(m.Meta)
	return in.Session.reserve(in.held)
}

func (in *Incoming) unreserve() { in.Session.buffered.Add(-int64(in.held)) }

// accept makes an admitted call ready and gives it to a worker.
func (c *Session) accept(in *Incoming, m *wire.Message) {
	in.keep(m, in.hold != nil)
	in.begin(c.current.Load(), m.Timeout)
	c.dispatch(in)
}

// keep keeps what of m lives longer than its frame. What waits for its turn, perhaps
// for long, gets no larger a buffer than it needs.
func (in *Incoming) keep(m *wire.Message, waits bool) {
	in.meta = string(m.Meta)
	in.Deep = m.Deep
	if waits {
		in.Params = bytes.Clone(m.Params)
		return
	}
	if len(m.Params) == 0 {
		return
	}
	if held, chunk := in.Session.hold(m.Params); chunk != nil {
		large := chunk // small ones allocate nothing
		in.Params, in.large = held, &large
	} else {
		in.Params = append(buffers.Get(len(m.Params)), m.Params...)
	}
}

// begin makes the call's context.
func (in *Incoming) begin(ctx context.Context, timeout int64) {
	c := in.Session
	in.base = callContext{ctx, in}
	ctx, in.end = context.WithCancelCause(&in.base)
	if timeout > 0 {
		cancel := in.end
		limited, stop := context.WithTimeout(ctx, Milliseconds(timeout))
		ctx, in.end = limited, func(cause error) { cancel(cause); stop() }
	}
	in.acct = account{open: 1, cancel: in.end, told: timeout <= 0, cursor: in.Method.Cursor}
	c.mu.Lock()
	in.Ctx = ctx
	canceled := in.canceled
	c.mu.Unlock()
	if canceled { // while it waited to start
		in.Withdrawn = true
		in.cancel()
	}
	in.acct.add(ctx, 0, nil, in.Unclaimed)
}

// cancel ends the call's context because the caller wants no answer any more.
func (in *Incoming) cancel() {
	in.end(context.Canceled)
	in.acct.end(context.Canceled)
}

// refuse answers a request that does not run. The reader calls it.
func (c *Session) refuse(id []byte, e *fault.Error) {
	c.post(c.refusal(id, e))
}

// run is a worker's.
func (in *Incoming) run() {
	defer func() {
		in.acct.done()
		in.Session.update(func(s *connState) { s.handlers-- })
		if in.Session.Mode == ModePlain {
			in.Session.startPlain(nil)
		}
	}()
	in.served.Serve()
}

// release gives back what only the handler needs: the parameters, and the streams
// among them that nobody has claimed.
func (in *Incoming) Release() {
	for _, k := range in.Unclaimed {
		k.Cancel(context.Canceled)
	}
	in.forget()
	in.unreserve()
}

// forget gives back what the parameters are in.
func (in *Incoming) forget() {
	if in.large != nil {
		buffers.Put(*in.large)
	} else {
		buffers.Put(in.Params)
	}
	in.Params, in.large = nil, nil
}

// cancelRequest hears that the peer no longer wants an answer.
func (c *Session) cancelRequest(id []byte) {
	var in *Incoming
	c.update(func(s *connState) {
		if in = s.incoming[string(callKeyOf(id))]; in != nil {
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
