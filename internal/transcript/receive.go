package transcript

import (
	"maps"
	"strings"
	"time"
)

// incoming is a stream of the peer's.
type incoming struct {
	items  int  // in the file
	ends   bool // in the file
	leaves bool // in the file the player leaves it
	left   bool // the player has left it
	taken  int
}

// mayGoOn reports whether the peer may send more than the file has.
func (s *incoming) mayGoOn() bool { return s.leaves || !s.ends }

func (p *Player) stream(handle string) *incoming {
	s := p.streams[handle]
	if s == nil {
		s = new(incoming)
		p.streams[handle] = s
	}
	return s
}

// accept takes a line of the peer.
func (p *Player) accept(line string) error {
	m, err := parseMessage(line)
	if err != nil {
		return p.fail(p.next(), "before this line came what is not JSON: %v\n%s", err, short(line))
	}
	switch {
	case p.session.takes(m):
		return nil
	case p.Serve && m.method() == "rpc.hello":
		return p.greet(m)
	}
	p.session.received++
	if m.isRuntime() {
		return p.runtime(m)
	}
	p.since = time.Now()
	switch method := m.method(); {
	case method == "$/items":
		return p.acceptItems(m, line)
	case method == "$/end":
		return p.acceptEnd(m, line)
	case method == "$/cancel":
		p.account(m.handle()).closed = true
	}
	if err := p.noteNotification(m); err != nil {
		return err
	}
	return p.acceptMessage(m, line)
}

// next returns the line that the player waits at, for errors.
func (p *Player) next() Line {
	for _, e := range p.waiting {
		if !e.done {
			return e.line
		}
	}
	if lines := p.Conversation.Lines; len(lines) > 0 {
		return lines[len(lines)-1]
	}
	return Line{N: 1}
}

// first returns the first expectation of a lane that has not arrived, or nil.
func (p *Player) first(lane string) *expectation {
	for _, e := range p.want[lane] {
		if !e.done {
			return e
		}
	}
	return nil
}

// acceptMessage takes anything but what belongs to a stream.
func (p *Player) acceptMessage(m message, line string) error {
	lane := m.lane()
	if lane == "cancel "+m.canceled() {
		lane = "cancel " + p.numbers.fileID(m.canceled())
		m.members = maps.Clone(m.members)
		m.members["params"] = map[string]any{"id": p.numbers.fileIDs[m.canceled()]}
	}
	e := p.first(lane)
	if e == nil {
		if m.method() == "$/cancel" {
			return nil
		}
		return p.unexpected(m, line)
	}
	var found []string
	for _, e := range p.want[lane] {
		if e.done {
			continue
		}
		names := maps.Clone(p.names)
		differences := names.compareMessages(e.msg, m)
		if len(differences) == 0 {
			p.names, e.done = names, true
			p.numbers.bind(e.msg, m)
			return nil
		}
		if found == nil {
			found = differences
		}
	}
	return p.differs(e, m, found, line)
}

// compareMessages compares two messages of one lane. The number of a call and its timeout
// are not compared, and those of streams are replaced by the file's.
func (n Names) compareMessages(want, got message) []string {
	if want.batch != nil {
		return n.compare(want.batch, got.batch)
	}
	w, g := maps.Clone(want.members), maps.Clone(got.members)
	rename(w, g)
	if want.method() != "" {
		for _, m := range []map[string]any{w, g} {
			delete(m, "timeout")
			if m["id"] != nil {
				m["id"] = "a number"
			}
		}
	}
	return n.compare(w, g)
}

// rename replaces in g, in the places where w has them, the handles of the peer by the
// file's.
func rename(w, g map[string]any) {
	ws, gs := message{members: w}.streams(), message{members: g}.streams()
	if len(ws) != len(gs) || len(ws) == 0 {
		return
	}
	g["streams"] = ws
	for i := range ws {
		for _, place := range []string{"params", "result"} {
			g[place] = renamed(w[place], g[place], ws[i], gs[i])
			if g[place] == nil {
				delete(g, place)
			}
		}
	}
}

func renamed(w, g, file, now any) any {
	if w == file && g == now {
		return file
	}
	switch w := w.(type) {
	case map[string]any:
		if g, ok := g.(map[string]any); ok {
			g = maps.Clone(g)
			for name, v := range w {
				if v == file && g[name] == now {
					g[name] = file
				}
			}
			return g
		}
	case []any:
		if g, ok := g.([]any); ok && len(w) == len(g) {
			g = append([]any{}, g...)
			for i, v := range w {
				if v == file && g[i] == now {
					g[i] = file
				}
			}
			return g
		}
	}
	return g
}

// acceptItems takes items one by one: how many travel together is not promised.
func (p *Player) acceptItems(m message, line string) error {
	handle := p.numbers.fileHandle(m.handle())
	s := p.stream(handle)
	for _, item := range m.items() {
		e := p.first("stream " + handle)
		switch {
		case s.left, e == nil && s.mayGoOn():
			continue
		case e == nil || e.msg.method() == "$/end":
			return p.unexpected(m, line)
		}
		names := maps.Clone(p.names)
		if found := names.compare(e.items[0], item); len(found) > 0 {
			return p.differs(e, m, found, line)
		}
		p.names, e.items = names, e.items[1:]
		e.done = len(e.items) == 0
		s.taken++
	}
	return p.grant(m.handle(), s)
}

func (p *Player) acceptEnd(m message, line string) error {
	handle := p.numbers.fileHandle(m.handle())
	e, s := p.first("stream "+handle), p.stream(handle)
	switch {
	case s.left, e == nil && s.mayGoOn():
		return nil
	case e == nil:
		return p.unexpected(m, line)
	case e.msg.method() == "$/items":
		return p.fail(e.line, "the stream ends too early:\n<- %s\nin the file comes first:\n<- %s\n%s", short(line), short(e.line.Text), advice)
	}
	want, got := maps.Clone(e.msg.members), maps.Clone(m.members)
	delete(want, "params")
	delete(got, "params")
	want["error"], got["error"] = e.msg.endError(), m.endError()
	if found := p.names.compare(want, got); len(found) > 0 {
		return p.differs(e, m, found, line)
	}
	e.done = true
	return nil
}

const advice = "If that is meant, record the conversation again; if a value varies, write \"«:any»\" in its place."

// arrow returns the marker of the peer's messages.
func (p *Player) arrow() string {
	if p.Serve {
		return "->"
	}
	return "<-"
}

func (p *Player) differs(e *expectation, m message, found []string, line string) error {
	arrow := p.arrow()
	return p.fail(e.line, "%s differs from the file:\n\t%s\nin the file:\n%s %s\nnow:\n%s %s\n%s",
		m.what(), strings.Join(found, "\n\t"), arrow, short(e.line.Text), arrow, short(line), advice)
}

func (p *Player) unexpected(m message, line string) error {
	return p.fail(p.next(), "unexpected here and further down is %s:\n%s %s\n%s", m.what(), p.arrow(), short(line), advice)
}
