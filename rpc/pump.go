package rpc

import (
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/session"
)

// A pump produces a stream of the user's: it runs the iterator and encodes what that
// yields.
type pump struct {
	stream  *session.SendStream
	iterate contract.Producer
	errors  declaredErrors // of the method

	begin func() *watchedStream // nil where nobody watches
	watch *watchedStream        // what that has returned
}

// pumpsOf returns the producers of streams, nil for a nil iterator.
func pumpsOf(streams []*contract.Stream, method *Method) []session.Producer {
	if len(streams) == 0 {
		return nil
	}
	pumps := make([]session.Producer, len(streams))
	for i, s := range streams {
		switch err := s.Err; {
		case s.Local != nil:
			pumps[i] = &pump{iterate: s.Local, errors: method.Errors}
		case err != nil:
			pumps[i] = &pump{iterate: func(func(any) bool) error { return err }, errors: method.Errors}
		}
	}
	return pumps
}

// produce always enters the iterator once, so that what that holds is released. If
// the stream is not wanted any more the first yield returns false.
func (p *pump) Produce(s *session.SendStream) {
	p.stream = s
	err := errExited
	defer func() { // also where the iterator ends the goroutine
		left := p.watch != nil && s.Unwanted()
		why := s.Reason(err)
		s.Finish(p.end(why))
		if p.watch != nil {
			p.watch.result.Blocked = s.Blocked
			p.watch.ranged(given(s.Session, why, p.errors), left)
		}
	}()
	err = p.guard()
}

// guard turns a panic of the iterator into the stream's error.
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
	p.watch.tell()
	return true
}

// emit encodes and sends one item, waiting for credit and for room. It is the loop
// body of the iterator.
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

// end is the error that the stream ends with as it crosses, nil where the stream is
// complete. It runs the error's code.
func (p *pump) end(err error) *fault.Error {
	if err == nil {
		return nil
	}
	c := p.stream.Session
	return crossing(c, hasRun(public(c, err)), p.errors)
}
