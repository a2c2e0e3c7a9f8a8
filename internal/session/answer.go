package session

import (
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// Close removes the call from the open ones, so that a cancel no longer has an effect,
// and reports whether it was cancelled before.
func (in *Incoming) Close() (canceled bool) {
	if in.ID != nil {
		in.Session.dialect.remove(in)
	}
	in.scope.mu.Lock()
	defer in.scope.mu.Unlock()
	in.answered = true
	return in.canceled
}

// An answer is the result of a call that is being sent: BeginResult makes it, the caller
// appends the result to Message.Bytes, and Send sends it. Abort undoes BeginResult.
type answer struct {
	in      *Incoming
	streams []*SendStream
	Names   [][]byte // of the streams, as the message refers to them
	Message *messageBuffer
	sent    bool
}

// BeginResult makes an answer with a stream for each producer; a nil producer stands for
// a nil iterator.
func (in *Incoming) BeginResult(producers []Producer) (a answer, err error) {
	s := in.Session
	a.in = in
	if len(producers) > 0 {
		a.streams, a.Names, err = s.queue.newStreams(producers, &in.scope, true)
		if err != nil {
			return a, &fault.Error{Code: fault.LimitReached, Message: err.Error(), Ran: fault.Maybe}
		}
	}
	head := wire.Head{ID: in.ID, Meta: in.response, Body: true}
	for _, ss := range a.streams {
		head.Streams = append(head.Streams, ss.handle)
	}
	a.Message = messagePool.Get().(*messageBuffer)
	a.Message.Bytes = s.appendResponse(a.Message.begin(s.Format), &head)
	return a, nil
}

// Abort undoes BeginResult. It has no effect after a successful Send.
func (a *answer) Abort() {
	if !a.sent {
		a.Message.release(0)
		a.in.Session.queue.discardStreams(a.streams)
	}
}

// Send sends the answer and starts its streams. It fails if the answer exceeds the
// caller's limit.
func (a *answer) Send() error {
	in, s := a.in, a.in.Session
	a.Message.Bytes = s.Format.AppendTail(a.Message.Bytes)
	size := len(a.Message.Bytes) - s.Format.FrameRoom()
	if peer := s.peerMessage(); size > peer {
		return fault.Errorf(fault.TooLarge, "rpc: %s: a result of %d bytes is over the caller's limit of %d", in.Method.Name, size, peer)
	}
	a.sent = true
	if len(a.streams) > 0 {
		in.scope.add(in.Ctx, len(a.streams), a.streams, nil)
	}
	in.send(a.Message)
	a.Message.release(size)
	for _, ss := range a.streams {
		if s.halfClosing.Load() {
			ss.stop(errHalfClosed)
		}
		go ss.run()
	}
	if in.scope.cursor && s.queue.cursorsEnded.Load() {
		s.queue.endCursorStreams()
	}
	return nil
}

// Fail answers with an error.
func (in *Incoming) Fail(e *fault.Error) {
	s := in.Session
	room := make([]byte, s.Format.FrameRoom(), smallBuffer)
	msg := s.appendError(room, in.ID, e, in.response)
	if len(msg)-len(room) > s.peerMessage() {
		msg = s.appendError(room, in.ID, shortened(e, s.peerMessage()), nil)
	}
	in.send(&messageBuffer{msg})
}

// send passes the answer to Reply or puts it into the send queue, for whose room it
// waits until the session ends.
func (in *Incoming) send(b *messageBuffer) {
	s := in.Session
	if in.Reply != nil {
		in.Reply(b.Bytes[s.Format.FrameRoom():])
		s.incoming.unanswered.Add(-1) // only now, since Reply may wait for room for the answer to a batch
		return
	}
	unanswered := &s.incoming.unanswered
	if in.Method == authMethod {
		unanswered = nil // it was not counted
	}
	s.queue.putAnswer(b, unanswered)
}
