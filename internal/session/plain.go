package session

import (
	"bytes"
	"log/slog"
	"sync"
	"time"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A plain is what a session has that speaks JSON-RPC 2.0 without extensions, beside what
// both dialects share. A frame is one message or one batch, and an invalid one is
// answered with an error and does not end the session.
type plain struct {
	session       *Session
	loggedOdd     bool          // the reader's: see reportOdd
	subscriptions subscriptions // a client's

	mu         sync.Mutex
	open       map[string]*Incoming // unanswered calls of the client, by id
	waiting    []*Incoming          // those that have not started, in order
	refusesNew bool                 // new requests are refused
	ended      bool                 // the session has ended

	// lifecycle.mu guards these: they change with the work in flight.
	whenIdle      chan struct{} // closed when the session is idle; nil unless readAll waits
	idleTimer     *time.Timer   // runs refuseNew once a client is idle that is being drained; nil otherwise
	idleTimerRuns bool          // idleTimer is running
}

func newPlain(s *Session) *plain {
	return &plain{session: s, open: make(map[string]*Incoming), subscriptions: subscriptions{session: s}}
}

// receive implements dialect.
func (p *plain) receive(frame []byte) error {
	if !isBatch(frame) {
		p.message(frame, nil)
	} else if b := newBatch(p, frame, p.post, p.answer); b != nil {
		b.run()
	}
	return nil
}

// isBatch reports whether a frame is a batch, by its first character.
func isBatch(frame []byte) bool {
	frame = bytes.TrimLeft(frame, " \t\r\n")
	return len(frame) > 0 && frame[0] == '['
}

// post sends a single answer. The reader may call it.
func (p *plain) post(msg []byte) {
	if len(msg) > 0 {
		p.session.queue.post(msg)
	}
}

// answer sends the answer to a batch, for which it waits for room. The reader must not
// call it.
func (p *plain) answer(msg []byte) {
	switch s := p.session; {
	case len(msg) == 0:
	case s.HasEnded(): // then nothing makes room
		s.queue.post(msg)
	default:
		s.queue.putAnswer(&messageBuffer{msg}, nil)
	}
}

// message receives one message. It calls reply exactly once, with the answer or with nil
// if there is none; if reply is nil, the answer is sent over the transport.
//
// An answer is never answered, even if it is invalid, and a client answers requests
// only: two peers that answer each other's errors would not stop.
func (p *plain) message(raw []byte, reply func([]byte)) {
	s := p.session
	s.HasTraffic.Store(true)
	m := messages.Get().(*wire.Message)
	defer messages.Put(m)
	answer := reply
	if answer == nil {
		answer = p.post
	}
	switch err := s.Format.DecodePlain(raw, m); {
	case err != nil && s.Client && !m.Answer && !m.Request && p.subscriptions.receiveInvalid(raw, err):
		answer(nil)
	case err == nil && m.Method == nil, m.Answer, err != nil && s.Client && !m.Request:
		p.receiveAnswer(m, err)
		answer(nil)
	case err != nil && m.ID == nil && s.Client:
		p.reportOdd(err)
		answer(nil)
	case err != nil:
		answer(p.fault(m.ID, err.(*wire.Fault)))
	case m.ID == nil:
		p.notification(m)
		answer(nil)
	default:
		p.request(m, reply, answer)
	}
}

// receiveAnswer receives an answer to a call. If it is invalid, the call that it names
// fails.
func (p *plain) receiveAnswer(m *wire.Message, invalid error) {
	s := p.session
	if !s.Client { // a server makes no calls in plain mode
		return
	}
	id, ok := s.callID(m.ID)
	if invalid != nil {
		p.reportOdd(invalid)
		if ok {
			p.subscriptions.answer(id, nil)
			p.failCall(id, fault.Errorf(fault.Internal, "rpc: the server's answer is not one of JSON-RPC 2.0: %v", invalid))
		}
		return
	}
	var began *subscribed
	if ok {
		var err error
		if began, err = p.subscriptions.answer(id, m); err != nil {
			p.failCall(id, err)
			return
		}
	}
	err := s.outgoing.answer(m)
	if err != nil {
		p.reportOdd(err)
	}
	switch {
	case began != nil && err != nil:
		p.subscriptions.fail(began, err)
	case began != nil:
		p.subscriptions.begin(began)
	}
}

// failCall fails an open call as if the peer had answered with an error.
func (p *plain) failCall(id uint64, err error) {
	call, _ := p.session.outgoing.take(id)
	if call == nil {
		return
	}
	p.session.addWork(-1)
	if call.abandoned {
		call.Recycle()
	} else {
		call.finishWith(err)
	}
}

// reportOdd logs, once a session, that a plain server has sent an answer to no call. The
// reader calls it.
func (p *plain) reportOdd(err error) {
	if !p.loggedOdd {
		p.loggedOdd = true
		s := p.session
		go s.Report(s.Ctx, slog.LevelWarn, "answer ignored; more of them are not logged", slog.Any("error", BriefError(err)))
	}
}

func (p *plain) fault(id []byte, f *wire.Fault) []byte {
	return p.session.Format.AppendError(nil, id, &wire.Error{Code: f.Code, Message: f.Message}, nil)
}

// notification receives a notification; a failure is not answered. Unknown methods that
// begin with $/ are ignored, as in the Language Server Protocol.
func (p *plain) notification(m *wire.Message) {
	s := p.session
	switch {
	case s.Client && p.subscriptions.receive(m, nil):
		return
	case string(m.Method) == methodCancelRequest:
		for name, id := range s.Format.Object(m.Params) {
			if name == "id" {
				p.cancel(id)
			}
		}
		return
	case p.name(m.Method).Cancels:
		p.cancelCall(m.Params)
		return
	case bytes.HasPrefix(m.Method, []byte("$/")) && s.Lookup(m.Method) == nil:
		return
	}
	if err := s.notifications.receive(m, 0); err != nil {
		s.Fail(err, transport.ClosePolicy)
	}
}

// maxWaiting bounds the waiting calls of a plain peer, to which Limits.Calls is not
// announced.
const maxWaiting = 1024

// request receives a request. reply receives the answer of the handler, nil for the
// transport; answer receives any other.
func (p *plain) request(m *wire.Message, reply, answer func([]byte)) {
	s := p.session
	if done := p.unsubscribe(m); done != nil {
		answer(done)
		return
	}
	if done := p.redirect(m); done != nil {
		answer(done)
		return
	}
	in, refusal := p.admit(m)
	switch {
	case refusal != nil:
		s.incoming.refused(m, refusal)
		answer(s.refusal(m.ID, refusal))
	case in != nil:
		in.Reply = reply
		in.copyMessage(m, s.incoming.unanswered.Load() >= int64(s.Limits.Calls))
		p.start(in)
	default:
		answer(nil)
	}
}

// admit decides whether a request may run, and counts it. It returns neither a call nor
// a refusal if the session has ended.
func (p *plain) admit(m *wire.Message) (in *Incoming, refusal *fault.Error) {
	s := p.session
	p.mu.Lock()
	_, open := p.open[idKey(m.ID)]
	refuses, full, over := p.refusesNew, len(p.waiting) >= maxWaiting, p.ended
	p.mu.Unlock()
	switch {
	case over:
		return nil, nil
	case open:
		return nil, &fault.Error{Code: fault.InvalidRequest, Message: "invalid request: the id is that of a call which is not answered yet"}
	case refuses:
		return nil, errShuttingDown
	}
	if in, refusal = s.incoming.newCall(m, full); refusal != nil {
		return nil, refusal
	}
	s.incoming.running.Add(1)
	s.addWork(1)
	if in.Method.Order != nil {
		s.notifications.assignHold(in)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != nil {
		p.open[idKey(in.ID)] = in
	}
	return in, nil
}

// idKey returns the key of an open call: its id, with one spelling of 0.
func idKey(id []byte) string {
	if string(id) == "-0" {
		return "0"
	}
	return string(id)
}

// left implements dialect.
func (p *plain) left() { p.start(nil) }

// start queues in, unless it is nil, and starts the first queued call if fewer than
// Limits.Calls run.
func (p *plain) start(in *Incoming) {
	s := p.session
	p.mu.Lock()
	if in != nil {
		p.waiting = append(p.waiting, in)
	}
	in = nil
	if p.ended {
		p.waiting = nil
	}
	if len(p.waiting) > 0 && s.incoming.unanswered.Load() < int64(s.Limits.Calls) {
		in = p.waiting[0]
		p.waiting = p.waiting[1:]
		s.incoming.unanswered.Add(1)
	}
	p.mu.Unlock()
	if in != nil {
		in.begin(s.credentials.current.Load(), 0)
		if in.hold == nil || !s.notifications.waitForHold(in) {
			s.workers.Go(in)
		}
	}
}

// cancel cancels the call with that id, if it is open.
func (p *plain) cancel(id []byte) {
	p.mu.Lock()
	in := p.open[idKey(id)]
	p.mu.Unlock()
	if in != nil {
		in.withdraw()
	}
}

// remove implements dialect.
func (p *plain) remove(in *Incoming) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[idKey(in.ID)] == in {
		delete(p.open, idKey(in.ID))
	}
}
