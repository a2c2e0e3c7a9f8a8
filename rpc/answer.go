package rpc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/wire"
)

// answer sends what the handler returned and starts the streams among it. They
// are started also where nobody wants them: their producers must clean up.
func (in *incoming) answer(call *Call, err error) {
	c := in.c
	result := call.result()
	streams := result.streams()
	canceled := c.answering(in)
	switch {
	case in.id == nil:
		if err != nil {
			c.report(in.ctx, slog.LevelWarn, "notification failed", slog.String("method", in.method.Name), slog.Any("error", briefError(err)))
		}
	case canceled:
		err = &Error{Code: CodeCanceled, Message: "canceled by the caller"}
		if in.withdrawn {
			err = &Error{Code: CodeCanceled, Message: "canceled by the caller", ran: ranNo}
		}
	case err == nil:
		if streams, err = in.respond(&result, streams); err == nil {
			return
		}
	}
	if in.id != nil {
		in.fail(err)
	}
	c.enterOnce(streams)
}

// respond sends the result and begins its streams. It returns the streams where
// it fails.
func (in *incoming) respond(result *payload, streams []*contract.Stream) ([]*contract.Stream, error) {
	c := in.c
	sources, names, err := c.openSendStreams(in.method.Name, pumpsOf(streams), &in.acct, true)
	if err != nil {
		return streams, &Error{Code: CodeLimitReached, Message: err.Error(), ran: ranMaybe}
	}
	head := wire.Head{ID: in.id, Meta: in.responseMetadata(), Body: true}
	if c.mode == modeWirecall {
		for _, s := range sources {
			head.Streams = append(head.Streams, s.handle)
		}
	}
	buf := messagePool.Get().(*buffer)
	enc := encoder{c.form, c.codec, names, wire.CallerDepth}
	msg, err := in.encode(c.form.AppendResponse(buf.begin(c.form), &head), &enc, result)
	buf.bytes = c.form.AppendTail(msg)
	size := len(buf.bytes) - c.form.FrameRoom()
	defer buf.free(size)
	switch {
	case err != nil:
	case size > c.peerMessage():
		err = Errorf(CodeTooLarge, "rpc: %s: a result of %d bytes is over the caller's limit of %d", in.method.Name, size, c.peerMessage())
	}
	if err != nil {
		c.discard(sources)
		return streams, err
	}
	in.acct.add(in.ctx, len(sources), sources, nil)
	in.send(buf)
	for _, s := range sources {
		if c.unsubscribed.Load() {
			s.stop(errHalfClosed)
		}
		go s.run()
	}
	if in.acct.cursor && c.out.isLate() {
		c.out.comeAgain()
	}
	return nil, nil
}

// encode appends the result.
func (in *incoming) encode(dst []byte, enc *encoder, result *payload) (msg []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // a type's own encoding
			msg, err = dst, in.c.panicked(in.method.Name, r)
		}
	}()
	if msg, err = enc.append(dst, result); err != nil {
		err = &Error{Code: CodeInternal, Message: fmt.Sprintf("rpc: %s: the result cannot be encoded: %v", in.method.Name, err)}
	}
	return msg, err
}

// fail answers with an error.
func (in *incoming) fail(err error) {
	c := in.c
	room := make([]byte, c.form.FrameRoom(), smallBuffer)
	msg := c.form.AppendError(room, in.id, c.crossing(err), in.responseMetadata())
	if len(msg)-len(room) > c.peerMessage() {
		msg = c.form.AppendError(room, in.id, c.errorMembers(errErrorTooLarge, nil), nil)
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

// answering takes the call off the open ones, so that no cancel reaches it any
// more, and reports whether one had.
func (c *session) answering(in *incoming) (canceled bool) {
	c.update(func(s *connState) {
		canceled = in.canceled
		in.answered = true
		if in.id != nil && s.incoming[string(callKeyOf(in.id))] == in {
			delete(s.incoming, string(callKeyOf(in.id)))
		}
	})
	return canceled
}

// enterOnce runs the producers of streams that nobody will read, so that what
// they hold is released: their first yield returns false. A call that has been
// answered no longer counts, so they do by themselves until they return.
func (c *session) enterOnce(streams []*contract.Stream) {
	for _, st := range streams {
		produce := st.Local
		if produce == nil {
			continue
		}
		c.update(func(s *connState) { s.cleanups++ })
		go func() {
			defer c.update(func(s *connState) { s.cleanups-- })
			defer func() {
				if r := recover(); r != nil {
					c.panicked("stream", r)
				}
			}()
			produce(func(any) bool { return false })
		}()
	}
}
