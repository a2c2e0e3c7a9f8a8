package rpc

import (
	"context"

	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// close takes the call off the open ones, so that no cancel reaches it any more, and
// reports whether one had.
func (in *incoming) close() (canceled bool) {
	in.c.update(func(s *connState) {
		canceled = in.canceled
		in.answered = true
		if in.id != nil && s.incoming[string(callKeyOf(in.id))] == in {
			delete(s.incoming, string(callKeyOf(in.id)))
		}
	})
	return canceled
}

// An answer is the result of a call that is being sent: beginResult makes it, the result is
// appended to msg.bytes, and send sends it. abort undoes beginResult.
type answer struct {
	in      *incoming
	streams []*sendStream
	names   [][]byte // of streams, in the message
	msg     *buffer
	sent    bool
}

// beginResult makes an answer with such streams, a nil producer being a nil iterator.
func (in *incoming) beginResult(producers []producer) (a answer, err error) {
	c := in.c
	a.in = in
	a.streams, a.names, err = c.openSendStreams(in.method.name, producers, &in.acct, true)
	if err != nil {
		return a, &fault.Error{Code: fault.LimitReached, Message: err.Error(), Ran: fault.Maybe}
	}
	head := wire.Head{ID: in.id, Meta: in.responseMetadata(), Body: true}
	if c.mode == modeWirecall {
		for _, s := range a.streams {
			head.Streams = append(head.Streams, s.handle)
		}
	}
	a.msg = messagePool.Get().(*buffer)
	a.msg.bytes = c.form.AppendResponse(a.msg.begin(c.form), &head)
	return a, nil
}

// abort takes back an answer that was not sent. It has no effect on one that was.
func (a *answer) abort() {
	if !a.sent {
		a.msg.free(0)
		a.in.c.discard(a.streams)
	}
}

// send sends the answer and starts its streams. It fails if the answer is too large.
func (a *answer) send() error {
	in, c := a.in, a.in.c
	a.msg.bytes = c.form.AppendTail(a.msg.bytes)
	size := len(a.msg.bytes) - c.form.FrameRoom()
	if peer := c.peerMessage(); size > peer {
		return fault.Errorf(fault.TooLarge, "rpc: %s: a result of %d bytes is over the caller's limit of %d", in.method.name, size, peer)
	}
	a.sent = true
	in.acct.add(in.ctx, len(a.streams), a.streams, nil)
	in.send(a.msg)
	a.msg.free(size)
	for _, s := range a.streams {
		if c.unsubscribed.Load() {
			s.stop(errHalfClosed)
		}
		go s.run()
	}
	if in.acct.cursor && c.out.isLate() {
		c.out.comeAgain()
	}
	return nil
}

// fail answers with an error.
func (in *incoming) fail(e *fault.Error) {
	c := in.c
	room := make([]byte, c.form.FrameRoom(), smallBuffer)
	msg := c.form.AppendError(room, in.id, c.members(e), in.responseMetadata())
	if len(msg)-len(room) > c.peerMessage() {
		msg = c.form.AppendError(room, in.id, c.members(c.shortened(e)), nil)
	}
	in.send(&buffer{msg})
}

// responseMetadata is what travels beside the answer: plain JSON-RPC has no place
// for it.
func (in *incoming) responseMetadata() map[string]string {
	if in.c.mode != modeWirecall {
		return nil
	}
	return in.response
}

// send gives the answer to whoever waits for it. An answer waits for room until
// the connection ends: it has no context of its own to give up under.
func (in *incoming) send(b *buffer) {
	if in.reply != nil {
		in.reply(b.bytes[in.c.form.FrameRoom():])
		in.c.unanswered.Add(-1) // not before: the answer to a batch may have to wait for room
		return
	}
	if flush, err := in.c.out.send(context.Background(), in.c.ctx.Done(), b, &in.c.unanswered); err == nil && flush {
		in.c.flush(true)
	}
}
