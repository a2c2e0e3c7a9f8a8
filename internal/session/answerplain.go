package session

import (
	"context"

	"github.com/wirecall/wirecall/internal/wire"
)

// answerPlain runs what body asks for, a plain message or batch, as a session of its
// own that ends with the answer, or with ctx, when nobody waits for one.
func AnswerPlain(ctx context.Context, set *Settings, body []byte) (msg []byte, ok bool) {
	s := New(ctx, set, wire.JSON, NoTransport{}, ModePlain, nil)
	stop := context.AfterFunc(ctx, func() { s.End(context.Cause(ctx)) })
	defer stop()
	answered := make(chan []byte, 1)
	reply := func(msg []byte) { answered <- append([]byte(nil), msg...) }
	if isBatch(body) {
		if b := newBatch(s, body, reply, reply); b != nil {
			b.run()
		}
	} else {
		s.plainMessage(body, reply)
	}
	select {
	case msg := <-answered:
		s.endWhenIdle() // notifications have no answer to wait for, but may finish
		<-s.Ctx.Done()
		return msg, ctx.Err() == nil
	case <-ctx.Done():
		s.End(context.Cause(ctx)) // stop may come before the AfterFunc does
		return nil, false
	}
}
