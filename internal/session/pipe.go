package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A pipe carries frames, unchanged and in order, between a client and the owner: the node
// that has its session. One goroutine for each direction reads a frame from one end and
// writes it to the other. It waits until the frame is written, so that an end that does
// not read stops the other from being read, and a pipe holds one frame of each direction.
//
// The pipe ends when one end does:
//
//   - A close frame is passed to the other end, with its code and reason, and so is the
//     end of a client that has sent what is no frame, as a violation.
//   - If an end breaks, does not take what is written for the transport's stall time, or
//     is silent for the idle timeout, the other is closed without a close frame. Both
//     sides see a cut, and the session can be resumed.
//   - If the node leaves, the client gets CloseCut, and the owner sees a cut.
type pipe struct {
	client, owner *pipeEnd
	ended         sync.Once
	over          chan struct{} // closed when the pipe has ended
	timer         *time.Timer   // runs check
	interval      time.Duration // between two checks; 0 for none
}

// A pipeEnd is one end of a pipe. It is the owner of its transport.
type pipeEnd struct {
	transport.Transport
	form       wire.Format
	framed     bool          // has neither close frames nor pings: a pair of byte streams
	flushing   chan struct{} // a semaphore, held by the flusher of the transport
	kicked     atomic.Bool   // a goroutine for Kick waits for flushing
	reading    atomic.Bool   // the reader waits for a frame
	readerDone chan struct{} // closed when the reader has returned
	silence    silence       // for check
}

func newPipe(client, owner transport.Transport, form wire.Format, framed bool) *pipe {
	return &pipe{client: newPipeEnd(client, form, framed), owner: newPipeEnd(owner, form, false), over: make(chan struct{})}
}

func newPipeEnd(t transport.Transport, form wire.Format, framed bool) *pipeEnd {
	return &pipeEnd{Transport: t, form: form, framed: framed, flushing: make(chan struct{}, 1), readerDone: make(chan struct{})}
}

// run copies frames until the pipe has ended and both ends are closed. idle is for how
// long an end may be silent, if it is above 0.
func (p *pipe) run(idle time.Duration) {
	p.client.Bind(p.client)
	p.owner.Bind(p.owner)
	if p.interval = idle / maxSilentChecks; p.interval > 0 {
		p.timer = stoppedTimer(p.check)
		p.timer.Reset(p.interval)
		defer p.timer.Stop()
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.copy(p.owner, p.client) })
	p.copy(p.client, p.owner)
	wg.Wait()
}

// copy reads frames from one end and writes them to the other until the pipe ends.
func (p *pipe) copy(from, to *pipeEnd) {
	frame, err := from.readFrame()
	for err == nil {
		if to.write(frame) != nil {
			p.awaitEnd()
			break
		}
		frame, err = from.readFrame()
	}
	close(from.readerDone)
	p.end(from, to, err)
}

// awaitEnd waits, for CloseGrace at most, until the reader of an end that could not be
// written to has ended the pipe: it may receive a close frame, which is the reason.
func (p *pipe) awaitEnd() {
	t := time.NewTimer(CloseGrace)
	defer t.Stop()
	select {
	case <-p.over:
	case <-t.C:
	}
}

// end ends the pipe, since from has failed with err.
func (p *pipe) end(from, to *pipeEnd, err error) {
	p.finish(func() {
		switch e := err.(type) {
		case transport.CloseError:
			to.shut(e.Code, e.Reason)
		case transport.FrameError:
			to.shut(transport.CloseViolation, e.Message)
			from.shut(transport.CloseViolation, e.Message)
		}
		to.Close()
		from.closeFlushed()
	})
}

// leave ends the pipe because this node leaves: the client resumes its session through
// another one.
func (p *pipe) leave() {
	p.finish(func() {
		p.owner.Close()
		p.client.shut(transport.CloseCut, ErrDrained.Error())
	})
}

// cut ends the pipe as if its network had failed.
func (p *pipe) cut() {
	p.finish(func() {
		p.owner.Close()
		p.client.Close()
	})
}

// finish ends the pipe by f, unless it has ended.
func (p *pipe) finish(f func()) {
	p.ended.Do(func() {
		f()
		close(p.over)
	})
}

// check cuts the pipe if an end is silent, and pings it before. The link is pinged only
// while the client shows signs of life, which the owner might not see behind what waits
// to be read by the client.
func (p *pipe) check() {
	client, owner := p.client.silentChecks(), 0
	if client == 0 {
		owner = p.owner.silentChecks()
	}
	if max(client, owner) >= maxSilentChecks {
		p.cut()
	}
	select {
	case <-p.over:
		return
	default:
	}
	if client > 0 {
		go p.client.Ping(p.interval)
	} else if owner > 0 || !p.owner.reading.Load() {
		go p.owner.Ping(p.interval)
	}
	p.timer.Reset(p.interval)
}

// silentChecks counts a check, and returns how many have found the end silent in a row.
// An end is not silent while it is not read, or if it cannot be pinged.
func (e *pipeEnd) silentChecks() int {
	if e.framed || !e.reading.Load() {
		e.silence.active.Store(true)
	}
	return e.silence.note(e.Transport)
}

// readFrame waits for the next frame.
func (e *pipeEnd) readFrame() ([]byte, error) {
	e.reading.Store(true)
	defer e.reading.Store(false)
	return readFrame(e.Transport, false)
}

// write writes a frame, and waits until it is written.
func (e *pipeEnd) write(frame []byte) error {
	e.flushing <- struct{}{}
	defer func() { <-e.flushing }()
	if err := e.WriteFrame(frame); err != nil {
		return err
	}
	_, err := e.Flush(true)
	return err
}

// flush writes what the transport has queued.
func (e *pipeEnd) flush() {
	e.flushing <- struct{}{}
	defer func() { <-e.flushing }()
	e.kicked.Store(false)
	_, _ = e.Flush(true) // the reader notices a failure
}

// Kick implements transport.Owner.
func (e *pipeEnd) Kick() {
	if !e.kicked.Swap(true) {
		go e.flush()
	}
}

// Heard implements transport.Owner.
func (e *pipeEnd) Heard() { e.silence.active.Store(true) }

// shut performs the closing handshake and closes the transport, within CloseGrace.
func (e *pipeEnd) shut(code transport.CloseCode, reason string) {
	grace := time.AfterFunc(CloseGrace, e.Close)
	defer grace.Stop()
	closeTransport(e.Transport, e, code, reason)
}

// closeFlushed closes the transport when what it has queued is written, such as the answer
// to a close frame, or after CloseGrace.
func (e *pipeEnd) closeFlushed() {
	grace := time.AfterFunc(CloseGrace, e.Close)
	defer grace.Stop()
	e.flush()
	e.Close()
}

// goodbye implements owner.
func (e *pipeEnd) goodbye(code transport.CloseCode, reason string) []byte {
	return goodbyeMessage(e.form, code, reason)
}

// AwaitReader implements owner. The caller bounds its time.
func (e *pipeEnd) AwaitReader() { <-e.readerDone }
