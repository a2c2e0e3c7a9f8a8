package rpc

import (
	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/fault"
)

// A pump produces a stream of the user's: it runs the iterator and encodes what that
// yields.
type pump struct {
	stream  *sendStream
	iterate contract.Producer
	errors  declaredErrors // of the method

	begin func() *watchedStream // nil where nobody watches
	watch *watchedStream        // what that has returned
}

// pumpsOf returns the producers of streams, nil for a nil iterator.
func pumpsOf(streams []*contract.Stream, method *Method) []producer {
	if len(streams) == 0 {
		return nil
	}
	pumps := make([]producer, len(streams))
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
func (p *pump) produce(s *sendStream) {
	p.stream = s
	err := errExited
	defer func() { // also where the iterator ends the goroutine
		left := p.watch != nil && s.left()
		why := s.reason(err)
		s.finish(p.end(why))
		if p.watch != nil {
			p.watch.result.Blocked = s.blocked
			p.watch.ranged(given(s.c, why, p.errors), left)
		}
	}()
	err = p.guard()
}

// guard turns a panic of the iterator into the stream's error.
func (p *pump) guard() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(p.stream.c, "stream", r)
		}
	}()
	if p.begin != nil {
		p.watch, p.stream.timed = p.begin(), true
		return p.iterate(p.emitWatched)
	}
	return p.iterate(p.emit)
}

// emitWatched is emit for a stream that is watched.
func (p *pump) emitWatched(item any) bool {
	if err := p.watch.check(item); err != nil {
		p.stream.failure = err
		return false
	}
	if !p.emit(item) {
		return false
	}
	p.watch.count(1, p.stream.likely)
	p.watch.tell()
	return true
}

// emit encodes and sends one item, waiting for credit and for room. It is the loop
// body of the iterator.
func (p *pump) emit(item any) bool {
	s := p.stream
	for {
		buf, ok := s.next()
		if !ok {
			return false
		}
		b, err := encodeTo(buf, codecOf(s.c), item, s.depth())
		if err != nil {
			s.failure = Errorf(CodeInternal, "rpc: a stream item cannot be encoded: %w", err)
			return false
		}
		if result := s.put(b); result != putAgain {
			return result == putDone
		}
	}
}

// end is the error that the stream ends with as it crosses, nil where the stream is
// complete. It runs the error's code.
func (p *pump) end(err error) *fault.Error {
	if err == nil {
		return nil
	}
	c := p.stream.c
	return crossing(c, hasRun(public(c, err)), p.errors)
}
