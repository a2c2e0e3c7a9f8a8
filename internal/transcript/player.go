package transcript

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Player plays one side of a conversation against a peer that is the other side, over
// lines. Messages are compared as JSON. Of the messages that the peer sends, the order is
// compared within each stream and each call alone, and the numbers that the peer has
// chosen, of its calls and streams, may be others than in the file. What the runtime of the
// peer sends at times of its own choice is not compared: acks, pings, credit, goodbyes and
// the answers to hello and resume. The player acknowledges, answers pings and gives credit
// itself, and sends items when it has credit.
type Player struct {
	Conversation *Conversation

	// Dial connects to the peer. It is called once, and again for each "->dial".
	Dial func() io.ReadWriteCloser

	// Serve plays the server's side, until the client has closed its connection. Cuts,
	// resumes and times in the file are then ignored.
	Serve bool

	// Patience is how long a message of the peer may take to arrive.
	Patience time.Duration

	names   Names
	sock    *socket
	want    map[string][]*expectation // of the peer, by lane
	byLine  map[int]*expectation
	waiting []*expectation // the ones that come before the line that is next
	since   time.Time      // when the player began to wait, or the peer last sent a message
	numbers numbers
	streams map[string]*incoming // the peer's, by the file's handle
	credit  map[string]*account  // for the player's streams; "0" is for notifications
	session session
}

// An expectation is a message that the peer is to send.
type expectation struct {
	line  Line
	msg   message
	items []any // of a $/items, those that have not arrived
	done  bool
}

// Play plays the conversation. The error says where the peer does something else.
func (p *Player) Play() error {
	p.names, p.numbers = Names{}, newNumbers()
	p.streams, p.credit = make(map[string]*incoming), make(map[string]*account)
	p.sock = newSocket(p.Dial()) // first, so that the peer of a file with mistakes does not wait
	err := p.prepare()
	if err == nil {
		err = p.play()
	}
	if err == nil && p.Serve {
		err = p.serveToTheEnd()
	}
	return errors.Join(err, p.hangUp(err != nil))
}

func (p *Player) play() error {
	for _, l := range p.Conversation.Lines {
		if e := p.byLine[l.N]; e != nil {
			p.waiting = append(p.waiting, e)
			continue
		}
		if p.receives(l) {
			continue
		}
		if err := p.settle(); err != nil {
			return err
		}
		if err := p.do(l); err != nil {
			return err
		}
	}
	return p.settle()
}

// receives reports whether a line is a message of the peer.
func (p *Player) receives(l Line) bool {
	if p.Serve {
		return l.Marker == "->"
	}
	return l.Marker == "<-" || l.Marker == "<*"
}

// do plays a line that is no message of the peer.
func (p *Player) do(l Line) error {
	switch l.Marker {
	case "->", "<-", "<*":
		return p.send(l)
	case "..":
		if p.Serve {
			return nil // the client waits for messages, not for time
		}
		d, err := time.ParseDuration(l.Text)
		if err != nil {
			return p.fail(l, "%v", err)
		}
		return p.pass(d)
	case "->close", "<-close":
		return p.hangUp(false)
	case "->cut", "<-cut":
		if !p.Serve {
			return p.hangUp(false)
		}
	case "->dial":
		if !p.Serve {
			p.sock = newSocket(p.Dial())
		}
	}
	return nil
}

// pass lets time pass. Meanwhile the player answers pings, as any peer does.
func (p *Player) pass(d time.Duration) error {
	end := time.Now().Add(d)
	for rest := d; rest > 0; rest = time.Until(end) {
		line, err := p.sock.next(rest)
		if err == nil {
			err = p.accept(line)
		}
		switch err {
		case nil:
		case errNothing:
			return nil
		case io.EOF:
			time.Sleep(rest)
			return nil
		default:
			return err
		}
	}
	return nil
}

// settle waits until the peer has sent what comes before the next line.
func (p *Player) settle() error {
	p.since = time.Now()
	for _, e := range p.waiting {
		for !e.done {
			if err := p.receive(); err != nil {
				return p.missing(e, err)
			}
		}
	}
	p.waiting = nil
	return nil
}

// missing returns err, or what it means for a message that has not arrived.
func (p *Player) missing(e *expectation, err error) error {
	switch {
	case err == io.EOF && p.Serve:
		return p.fail(e.line, "the client has not sent %s:\n-> %s", e.msg.what(), short(e.line.Text))
	case err == io.EOF:
		return p.fail(e.line, "the server has closed the connection, want %s:\n<- %s", e.msg.what(), short(e.line.Text))
	case err == errNothing:
		return p.fail(e.line, "nothing came, want %s:\n<- %s", e.msg.what(), short(e.line.Text))
	}
	return err
}

// receive takes the next message of the peer.
func (p *Player) receive() error {
	patience := p.Patience - time.Since(p.since)
	if patience <= 0 {
		return errNothing
	}
	line, err := p.sock.next(patience)
	if err != nil {
		return err
	}
	return p.accept(line)
}

// serveToTheEnd takes messages until the client has closed its connection.
func (p *Player) serveToTheEnd() error {
	for {
		line, err := p.sock.next(0)
		if err == nil {
			err = p.accept(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// hangUp closes the connection, and takes what had arrived on it unless that is to be
// discarded.
func (p *Player) hangUp(discard bool) (err error) {
	p.sock.conn.Close()
	p.sock.closed = true
	for {
		line, end := p.sock.next(0)
		if end != nil {
			return err
		}
		if err == nil && !discard {
			err = p.accept(line)
		}
	}
}

// fail returns an error at a line.
func (p *Player) fail(l Line, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.Conversation.File, l.N, fmt.Sprintf(format, args...))
}

// prepare reads all messages that the peer is to send.
func (p *Player) prepare() error {
	p.want, p.byLine = make(map[string][]*expectation), make(map[int]*expectation)
	for _, s := range p.Conversation.Settings {
		if !strings.HasPrefix(s.Text, "Sessions") {
			return p.fail(s, "this setting is for package rpc's own tests")
		}
	}
	for _, l := range p.Conversation.Lines {
		if !slices.Contains([]string{"->", "<-", "<*", "..", "->cut", "<-cut", "->close", "<-close", "->dial"}, l.Marker) {
			return p.fail(l, "lines with %s are for package rpc's own tests", l.Marker)
		}
		if !strings.HasPrefix(l.Text, "{") && !strings.HasPrefix(l.Text, "[") {
			continue
		}
		m, err := parseExpected(l.Text)
		if err != nil {
			return p.fail(l, "not JSON: %v", err)
		}
		p.session.note(l, m)
		if p.receives(l) {
			p.expect(l, m)
		} else if m.method() == "$/cancel" {
			p.stream(m.handle()).leaves = true
		}
	}
	return nil
}

func (p *Player) expect(l Line, m message) {
	switch {
	case m.isRuntime(), m.method() == "rpc.resume", m.method() == "$/cancel" && !p.Serve,
		m.isAnswer() && !p.Serve && p.session.isAnswer(m):
		return
	case m.method() == "$/items":
		p.stream(m.handle()).items += len(m.items())
	case m.method() == "$/end":
		p.stream(m.handle()).ends = true
	}
	e := &expectation{line: l, msg: m, items: m.items()}
	e.done = m.method() == "$/items" && len(e.items) == 0
	p.byLine[l.N] = e
	p.want[m.lane()] = append(p.want[m.lane()], e)
}
