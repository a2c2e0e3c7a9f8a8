package session

import (
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// Read is the reader: it receives frames until the transport fails or the peer ends the
// session. It blocks on the transport only and runs no code of the user.
func (s *Session) Read(t transport.Transport) {
	if s.early != nil {
		s.plain(s.early)
		s.early = nil
	}
	err, breach := s.readFrames(t)
	defer s.stopReading()
	switch {
	case breach:
		s.Breached.Store(true)
		if b, ok := err.(transport.FrameError); ok && s.Mode != ModeWirecall && !s.Client {
			s.post(s.fault(nil, &wire.Fault{Code: int(frameErrorCode(b)), Message: b.Message}))
		}
		s.Fail(err, breachCode(err))
	case s.halfClosed(t, err):
		s.serveRest(t)
	case !s.detach(t, err):
		s.peerGone(t, err)
	}
}

// Heard implements transport.Owner: the transport has received something, perhaps no
// whole frame.
func (s *Session) Heard() { s.active.Store(true) }

// readFrames receives frames until one fails. It returns the reason, and whether that is
// a violation of the protocol.
func (s *Session) readFrames(t transport.Transport) (err error, breach bool) {
	for {
		frame, err := readFrame(t, s.Mode != ModeWirecall)
		if err != nil {
			_, breach := err.(transport.FrameError)
			return err, breach
		}
		s.active.Store(true)
		if err := s.receive(frame); err != nil {
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

// stopReading records that the reader has returned.
func (s *Session) stopReading() {
	ended := false
	s.update(func(st *sessionState) {
		if st.readerDone != nil { // it is nil if the session had ended before it was activated
			close(st.readerDone)
			st.readerDone, ended = nil, st.ended
		}
	})
	if ended {
		close(s.ReaderDone)
	}
}

func (s *Session) receive(frame []byte) error {
	if s.Mode == ModePlain {
		s.plain(frame)
		return nil
	}
	r := s.resumption.Load()
	if r == nil {
		return s.frame(frame)
	}
	r.countFrame(len(frame))
	err := s.frame(frame)
	switch err.(type) {
	case nil:
		s.scheduleAck(r)
	case transport.CloseError: // $/close stands for a close frame, which is not counted
		r.received.Add(^uint64(0))
	}
	return err
}
