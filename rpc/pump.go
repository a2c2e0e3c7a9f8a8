package rpc

import (
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// A pump produces a stream of this side: it runs the iterator and encodes its items. It
// implements session.Producer.
type pump struct {
	stream  *session.SendStream
	iterate contract.Producer
	method  *Method

	begin func() *watchedStream // nil if the stream is not watched
	watch *watchedStream        // the result of begin
}

// pumpsOf returns the producers of streams. That of a nil iterator is nil.
func pumpsOf(streams []*contract.Stream, method *Method) []session.Producer {
	if len(streams) == 0 {
		return nil
	}
	pumps := make([]session.Producer, len(streams))
	for i, s := range streams {
		switch err := s.Err; {
		case s.Local != nil:
			pumps[i] = &pump{iterate: s.Local, method: method}
		case err != nil:
			pumps[i] = &pump{iterate: func(func(any) bool) error { return err }, method: method}
		}
	}
	return pumps
}

// Produce implements session.Producer. It always enters the iterator once, so that the
// iterator can release what it holds. If the stream has ended, its first yield returns
// false.
func (p *pump) Produce(s *session.SendStream) {
	p.stream = s
	err := errExited
	defer func() { // also after runtime.Goexit in the iterator
		left := p.watch != nil && s.Unwanted()
		why := s.Reason(err)
		s.Finish(p.end(why))
		if p.watch != nil {
			p.watch.result.Blocked = s.Blocked
			p.watch.ranged(asReceived(s.Session, why, p.method.Errors), left)
		}
	}()
	err = p.guard()
}

// guard runs the iterator. A panic becomes the stream's error.
func (p *pump) guard() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(p.stream.Session, "stream", r)
		}
	}()
	if p.begin != nil {
		p.watch, p.stream.Timed = p.begin(), true
		return p.iterate(p.emitWatched)
	}
	return p.iterate(p.emit)
}

// emitWatched is emit for a stream that is watched.
func (p *pump) emitWatched(item any) bool {
	if err := p.watch.check(item); err != nil {
		p.stream.Failure = err
		return false
	}
	if !p.emit(item) {
		return false
	}
	p.watch.count(1, p.stream.LikelySize)
	p.watch.report()
	return true
}

// emit encodes and sends one item. It waits for credit and for room in the send queue.
// It is the yield function of the iterator.
func (p *pump) emit(item any) bool {
	s := p.stream
	for {
		buf, ok := s.Next()
		if !ok {
			return false
		}
		b, err := encodeTo(buf, codecOf(s.Session), item, s.Depth())
		if err != nil {
			s.Failure = Errorf(CodeInternal, "rpc: a stream item cannot be encoded: %w", err)
			return false
		}
		if result := s.Put(b); result != session.PutAgain {
			return result == session.PutDone
		}
	}
}

// end returns the error that is sent at the end of the stream, or nil if the stream is
// complete. It runs methods of err, which are user code.
func (p *pump) end(err error) *fault.Error {
	if err == nil {
		return nil
	}
	s := p.stream.Session
	return crossing(s, hasRun(public(s, err)), p.method.Errors)
}
