package session

import (
	"context"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// close takes the call off the open ones, so that no cancel reaches it any more, and
// reports whether one had.
func (in *Incoming) Close() (canceled bool) {
	in.Session.update(func(st *sessionState) {
		canceled = in.canceled
		in.answered = true
		if in.ID != nil && st.incoming[string(callKeyOf(in.ID))] == in {
			delete(st.incoming, string(callKeyOf(in.ID)))
		}
	})
	return canceled
}

// An answer is the result of a call that is being sent: beginResult makes it, the result is
// appended to msg.bytes, and send sends it. abort undoes beginResult.
type answer struct {
	in      *Incoming
	streams []*SendStream
	Names   [][]byte // of streams, in the message
	Message *messageBuffer
	sent    bool
}

// beginResult makes an answer with such streams, a nil producer being a nil iterator.
func (in *Incoming) BeginResult(producers []Producer) (a answer, err error) {
	s := in.Session
	a.in = in
	a.streams, a.Names, err = s.openSendStreams(in.Method.Name, producers, &in.scope, true)
	if err != nil {
		return a, &fault.Error{Code: fault.LimitReached, Message: err.Error(), Ran: fault.Maybe}
	}
	head := wire.Head{ID: in.ID, Meta: in.responseMetadata(), Body: true}
	if s.Mode == ModeWirecall {
		for _, ss := range a.streams {
			head.Streams = append(head.Streams, ss.handle)
		}
	}
	a.Message = messagePool.Get().(*messageBuffer)
	a.Message.Bytes = s.Format.AppendResponse(a.Message.begin(s.Format), &head)
	return a, nil
}

// abort takes back an answer that was not sent. It has no effect on one that was.
func (a *answer) Abort() {
	if !a.sent {
		a.Message.release(0)
		a.in.Session.discardStreams(a.streams)
	}
}

// send sends the answer and starts its streams. It fails if the answer is too large.
func (a *answer) Send() error {
	in, s := a.in, a.in.Session
	a.Message.Bytes = s.Format.AppendTail(a.Message.Bytes)
	size := len(a.Message.Bytes) - s.Format.FrameRoom()
	if peer := s.peerMessage(); size > peer {
		return fault.Errorf(fault.TooLarge, "rpc: %s: a result of %d bytes is over the caller's limit of %d", in.Method.Name, size, peer)
	}
	a.sent = true
	in.scope.add(in.Ctx, len(a.streams), a.streams, nil)
	in.send(a.Message)
	a.Message.release(size)
	for _, ss := range a.streams {
		if s.halfClosing.Load() {
			ss.stop(errHalfClosed)
		}
		go ss.run()
	}
	if in.scope.cursor && s.queue.hasEndedCursors() {
		s.queue.endCursorStreams()
	}
	return nil
}

// fail answers with an error.
func (in *Incoming) Fail(e *fault.Error) {
	s := in.Session
	room := make([]byte, s.Format.FrameRoom(), smallBuffer)
	msg := s.Format.AppendError(room, in.ID, s.wireError(e), in.responseMetadata())
	if len(msg)-len(room) > s.peerMessage() {
		msg = s.Format.AppendError(room, in.ID, s.wireError(s.shortened(e)), nil)
	}
	in.send(&messageBuffer{msg})
}

// responseMetadata is what travels beside the answer: plain JSON-RPC has no place
// for it.
func (in *Incoming) responseMetadata() map[string]string {
	if in.Session.Mode != ModeWirecall {
		return nil
	}
	return in.response
}

// send gives the answer to whoever waits for it. An answer waits for room until
// the connection ends: it has no context of its own to give up under.
func (in *Incoming) send(b *messageBuffer) {
	if in.Reply != nil {
		in.Reply(b.Bytes[in.Session.Format.FrameRoom():])
		in.Session.unansweredCalls.Add(-1) // not before: the answer to a batch may have to wait for room
		return
	}
	if flush, err := in.Session.queue.putAnswer(context.Background(), in.Session.Ctx.Done(), b, &in.Session.unansweredCalls); err == nil && flush {
		in.Session.flush(true)
	}
}
