package session

import (
	"context"

	"github.com/wirecall/wirecall/internal/wire"
)

// AnswerPlain serves body, a plain message or batch, in a session of its own, which ends
// after the answer or with ctx. It returns false if ctx has ended.
func AnswerPlain(ctx context.Context, set *Settings, body []byte) (msg []byte, ok bool) {
	s := New(ctx, set, wire.JSON, NoTransport{}, ModePlain, nil)
	p := s.dialect.(*plain)
	stop := context.AfterFunc(ctx, func() { s.End(context.Cause(ctx)) })
	defer stop()
	answered := make(chan []byte, 1)
	reply := func(msg []byte) { answered <- append([]byte(nil), msg...) }
	if isBatch(body) {
		if b := newBatch(p, body, reply, reply); b != nil {
			b.run()
		}
	} else {
		p.message(body, reply)
	}
	select {
	case msg := <-answered:
		p.endWhenIdle() // notifications have no answer, but may complete
		<-s.Ctx.Done()
		return msg, ctx.Err() == nil
	case <-ctx.Done():
		s.End(context.Cause(ctx)) // stop may precede the AfterFunc
		return nil, false
	}
}
