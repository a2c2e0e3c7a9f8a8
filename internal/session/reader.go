package session

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A reader takes in the frames of the peer, one after another. Its goroutine owns it: it
// blocks on the transport only and runs no code of the user.
type reader struct {
	session *Session
	message wire.Message // reused for each message
	alone   bool         // the message fills its frame
}

// Read is the reader: it receives frames until the transport fails or the peer ends the
// session.
func (s *Session) Read(t transport.Transport) {
	if p := s.plain; p != nil && p.early != nil {
		p.receive(p.early)
		p.early = nil
	}
	err, breach := s.reader.readFrames(t)
	defer s.stopReading()
	switch {
	case breach:
		s.Breached.Store(true)
		if e, ok := err.(transport.FrameError); ok && s.plain != nil && !s.Client {
			s.queue.post(s.plain.fault(nil, &wire.Fault{Code: frameErrorCode(e), Message: e.Message}))
		}
		s.Fail(err, breachCode(err))
	case s.plain.halfClosed(t, err):
		s.plain.serveRest(t)
	case !s.detach(t, err):
		s.peerGone(t, err)
	}
}

// readFrames receives frames until one fails. It returns the reason, and whether that is
// a violation of the protocol.
func (r *reader) readFrames(t transport.Transport) (err error, breach bool) {
	s := r.session
	for {
		frame, err := readFrame(t, s.plain != nil)
		if err != nil {
			_, breach := err.(transport.FrameError)
			return err, breach
		}
		s.keepAlive.active.Store(true)
		switch res := s.resumption.Load(); {
		case s.plain != nil:
			s.plain.receive(frame)
		case res == nil:
			err = r.receive(frame)
		default:
			err = res.receive(frame)
		}
		if err != nil {
			_, goodbye := err.(transport.CloseError)
			return err, !goodbye
		}
	}
}

// readFrame reads a frame. The last line of a stream may lack its line feed: it is
// accepted from a plain peer, whose pipes often end so, and is an error otherwise.
func readFrame(t transport.Transport, plain bool) ([]byte, error) {
	frame, err := t.ReadFrame()
	if plain && frame != nil {
		err = nil
	}
	return frame, err
}

// frameErrorCode returns the code with which an invalid frame of a plain peer is
// answered.
func frameErrorCode(e transport.FrameError) int {
	if e.TooLarge {
		return fault.TooLarge
	}
	return fault.InvalidRequest
}

// receive receives one frame in wirecall mode. It returns an error if the peer has
// violated the protocol: the session ends, since the message lost may have been the
// answer to any call.
func (r *reader) receive(frame []byte) error {
	s := r.session
	n := 0
	for msg, err := range s.Format.Split(frame) {
		if err != nil {
			return err
		}
		if len(msg) > s.Limits.MessageBytes {
			return fmt.Errorf("a message of %d bytes is over the limit of %d", len(msg), s.Limits.MessageBytes)
		}
		r.alone = s.Format.FrameSize(len(msg)) >= len(frame)
		if err := s.Format.Decode(msg, &r.message); err != nil {
			return err
		}
		if err := r.dispatch(&r.message, len(msg), n); err != nil {
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

// retain returns raw, a part of the message being received, in a pooled buffer that
// outlives the frame, and that the caller must return to the pool: the frame's own
// buffer if the message fills it, otherwise a copy. If raw is small, buffer is nil. The
// message must not be used once another goroutine can return the buffer.
func (r *reader) retain(raw []byte) (held, buffer []byte) {
	if len(raw) < largeMessage {
		return nil, nil
	}
	if r.alone {
		if b := r.session.transport.TakeBuffer(4 * len(raw)); b != nil {
			return raw, b
		}
	}
	b := append(buffers.Get(len(raw)), raw...)
	return b, b
}

// dispatch receives the n-th message of its frame, counted from 0, which has size bytes.
func (r *reader) dispatch(m *wire.Message, size, n int) error {
	s := r.session
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
		return r.control(m, n)
	case m.ID == nil:
		return s.notifications.receive(m, size)
	}
	id, ok := s.Format.Natural(m.ID)
	if !ok {
		return fmt.Errorf("request id %s is not an integer from 0 to 2^53-1", Brief(m.ID))
	}
	return s.incoming.request(id, m)
}
