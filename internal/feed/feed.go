// Package feed is how packages other than rpc put the items of streams into
// connections without a goroutine for each stream.
//
// A handler returns an iterator. If what made the iterator offers a Source for it, and
// the handler returns that iterator and not another one around it, the runtime takes
// the source. It runs on a goroutine while there is something to send, and parks the
// stream when it has come to the end. What is new then is encoded once and pushed from
// one place into all parked streams. A stream that lags, because its reader is slow, is
// not waited for: it runs on a goroutine again until it has caught up.
package feed

import (
	"context"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/session"
)

// A Source has the items of one stream. One goroutine at a time calls its methods.
type Source interface {
	// Each calls put with each item that there is now, encoded, until put returns false.
	// The items are shared and not changed. The error ends the stream.
	Each(ctx context.Context, cd codec.Codec, put func(item []byte) bool) error

	// Park parks the stream, and pushes what is new until it is unparked. It returns false if there
	// is more already, or the stream has stopped.
	Park(ss *session.SendStream, cd codec.Codec) bool

	// Unparked is called when the stream runs, also for the first time. Nothing is pushed
	// from then on.
	Unparked()

	// Close is called at the end of the stream.
	Close()
}

// Offer offers a source for an iterator that is made for the call of ctx, if any. Without a
// call, or around another iterator, the iterator is ranged over.
func Offer[F any](ctx context.Context, iterator F, s Source) {
	if in := session.CallFromContext(ctx); in != nil {
		in.Offer(contract.Identity(iterator), s)
	}
}

// Of returns the source that is offered for the iterator of a stream, or nil.
func Of(ctx context.Context, st *contract.Stream) Source {
	in := session.CallFromContext(ctx)
	if in == nil || st.Iterator == nil {
		return nil
	}
	s, _ := in.Offered(st.Iterator).(Source)
	return s
}
