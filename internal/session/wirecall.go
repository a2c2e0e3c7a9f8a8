package session

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A dialect is what differs between wirecall and plain JSON-RPC 2.0 in a session. The
// form of the messages is another thing: see form.
type dialect interface {
	// receive receives one frame. An error is a violation of the protocol, or the peer's
	// goodbye, and ends the session. The reader calls it.
	receive(frame []byte) error

	// unreadable answers a frame that cannot be read, before the session ends.
	unreadable(e transport.FrameError)

	// readAll waits, after the end of reading, until a peer that still reads has been
	// answered.
	readAll(t transport.Transport, err error)

	// introduce returns the name of a stream of this side in the params or the result of
	// a call. The queue's mutex is held.
	introduce(ss *SendStream) []byte

	// leave tells the producer of a stream that its consumer has left it.
	leave(rs *RecvStream)

	// remove removes a call that is being answered; left is called when its handler has
	// returned.
	remove(in *Incoming)
	left()

	// unanswered returns the methods of the peer's unanswered calls.
	unanswered() []string

	// ping requests a sign of life from the peer, and reports whether it must send one.
	ping(t transport.Transport) bool

	// drain asks the peer to take new work elsewhere, or finds a time without work.
	// workChanged is called when the work in flight has changed while the session drains or
	// is detached, with lifecycle.mu held.
	drain()
	workChanged(idle bool)

	// finish is called when the session ends, before its queue does. It reports whether
	// what has been put must still be written.
	finish(cause error) (flush bool)
}

// A wirecall is the dialect of JSON-RPC 2.0 with the extensions of PROTOCOL.md.
type wirecall struct{ session *Session }

// receive implements dialect.
func (w *wirecall) receive(frame []byte) error {
	if r := w.session.resumption.Load(); r != nil {
		return r.receive(w, frame)
	}
	return w.receiveFrame(frame)
}

func (w *wirecall) unreadable(transport.FrameError)    {}
func (w *wirecall) readAll(transport.Transport, error) {}
func (w *wirecall) left()                              {}
func (w *wirecall) workChanged(bool)                   {}
func (w *wirecall) finish(error) bool                  { return false }
func (w *wirecall) remove(in *Incoming)                { w.session.incoming.remove(in) }
func (w *wirecall) leave(rs *RecvStream) {
	w.session.queue.post(w.session.Format.AppendEnd(nil, methodCancel, rs.Handle, nil))
}
func (w *wirecall) introduce(ss *SendStream) []byte {
	return w.session.Format.AppendID(nil, ss.handle)
}

// ping implements dialect.
func (w *wirecall) ping(transport.Transport) bool {
	s := w.session
	s.queue.post(s.Format.AppendControl(nil, methodPing, time.Now().UnixMilli()))
	return true
}

// receiveFrame receives the messages of one frame. It returns an error if the peer has
// violated the protocol: the session ends, since the message lost may have been the
// answer to any call.
func (w *wirecall) receiveFrame(frame []byte) error {
	s, r := w.session, &w.session.reader
	m := messages.Get().(*wire.Message)
	defer messages.Put(m)
	n := 0
	for msg, err := range s.Format.Split(frame) {
		if err != nil {
			return err
		}
		if len(msg) > s.Limits.MessageBytes {
			return fmt.Errorf("a message of %d bytes is over the limit of %d", len(msg), s.Limits.MessageBytes)
		}
		r.alone = s.Format.FrameSize(len(msg)) >= len(frame)
		if err := s.Format.Decode(msg, m); err != nil {
			return err
		}
		if err := w.dispatch(m, len(msg), n); err != nil {
			return err
		}
		n++
	}
	r.alone = false
	if n == 0 {
		return errors.New("an empty frame")
	}
	return nil
}

// dispatch receives the n-th message of its frame, counted from 0, which has size bytes.
func (w *wirecall) dispatch(m *wire.Message, size, n int) error {
	s := w.session
	if !s.HasTraffic.Load() && (!bytes.HasPrefix(m.Method, []byte("$/")) || string(m.Method) == methodItems) {
		s.HasTraffic.Store(true)
	}
	if res := s.resumption.Load(); res != nil && elicitsAck(m.Method) {
		res.ackEliciting = true
	}
	switch {
	case m.Method == nil:
		return s.outgoing.answer(m)
	case m.ID == nil && bytes.HasPrefix(m.Method, []byte("$/")):
		return w.control(m, n)
	case m.ID == nil:
		return s.notifications.receive(m, size)
	}
	id, ok := s.Format.Natural(m.ID)
	if !ok {
		return fmt.Errorf("request id %s is not an integer from 0 to 2^53-1", Brief(m.ID))
	}
	return s.incoming.request(id, m)
}

// elicitsAck reports whether a message has to be acknowledged. Acks, pings and pongs do
// not, or two idle peers would acknowledge each other's acks without end.
func elicitsAck(method []byte) bool {
	switch string(method) {
	case methodAck, methodPing, methodPong:
		return false
	}
	return true
}
