package session

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/wirecall/wirecall/internal/buffers"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A reader takes in the frames of the peer, one after another. Its goroutine owns it: it
// blocks on the transport only and runs no code of the user.
//
// Receiving a frame grows the stack of that goroutine, for good, to twice what waiting
// needs. Once a connection has been silent for a while, the next frame is therefore
// followed by a fresh goroutine: of an idle connection that costs half of the memory
// outside the heap.
type reader struct {
	session *Session
	alone   bool        // the message fills its frame
	early   []byte      // the frame that a plain server sent before its answer to hello; received first
	stays   bool        // Read returns only at the end
	silent  atomic.Bool // the peer has been silent: continue on a fresh goroutine, unless the reader stays
}

// Read is the reader: it receives frames until the transport fails or the peer ends the
// session. Unless the reader stays, a goroutine of its own may go on.
func (s *Session) Read(t transport.Transport) {
	if early := s.reader.early; early != nil {
		_ = s.dialect.receive(early) // only plain JSON-RPC has one, which has no violations
		s.reader.early = nil
	}
	err, breach := s.reader.readFrames(t)
	if err == errSilence {
		go s.Read(t)
		return
	}
	defer s.stopReading()
	switch {
	case breach:
		s.Breached.Store(true)
		if e, ok := err.(transport.FrameError); ok {
			s.dialect.unreadable(e)
		}
		s.Fail(err, breachCode(err))
	case !s.detach(t, err):
		s.dialect.readAll(t, err)
		s.peerGone(t, err)
	}
}

// messages holds decoded messages for reuse: a connection that waits has none.
var messages = sync.Pool{New: func() any { return new(wire.Message) }}

var errSilence = errors.New("continue on a fresh goroutine")

// readFrames receives frames until one fails. It returns the reason, and whether that is
// a violation of the protocol; or errSilence.
func (r *reader) readFrames(t transport.Transport) (err error, breach bool) {
	s := r.session
	for {
		frame, err := readFrame(t, !s.extended)
		if err != nil {
			_, breach := err.(transport.FrameError)
			return err, breach
		}
		if err := s.dialect.receive(frame); err != nil {
			_, goodbye := err.(transport.CloseError)
			return err, !goodbye
		}
		if r.silent.Load() && !r.stays {
			r.silent.Store(false)
			return errSilence, false
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
