package transcript

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// An account is the credit for a stream of the player's, or for its notifications.
type account struct {
	limit  int   // how many may be sent in all
	bytes  int   // how many bytes may be sent in all
	window int   // of the latest grant, in bytes
	sizes  []int // the bytes of the first n that were sent, by n-1
	taken  int   // bytes that the peer has taken
	closed bool  // the peer has left the stream
}

func (p *Player) account(handle string) *account {
	a := p.credit[handle]
	if a == nil {
		a = &account{limit: 64, bytes: 65_536}
		p.credit[handle] = a
	}
	return a
}

func (a *account) sent() int { return a.upTo(len(a.sizes)) }

func (a *account) upTo(n int) int {
	if n == 0 {
		return 0
	}
	return a.sizes[min(n, len(a.sizes))-1]
}

func (a *account) grant(taken, items, bytes int) {
	a.taken = a.upTo(taken)
	a.limit, a.bytes, a.window = max(a.limit, taken+items), max(a.bytes, a.taken+bytes), bytes
}

// allows reports whether one more of a size may be sent.
func (a *account) allows(size int) bool {
	out := a.sent() - a.taken
	return len(a.sizes) < a.limit && (a.sent()+size <= a.bytes || 2*out < max(a.window, a.bytes-a.taken))
}

// spend waits for credit and takes it. It reports whether the stream is still wanted.
func (p *Player) spend(l Line, a *account, size int) (bool, error) {
	p.since = time.Now()
	for p.session.wirecall && !a.closed && !a.allows(size) {
		if err := p.receive(); err == io.EOF || err == errNothing {
			return false, p.fail(l, "the peer gives no credit for it")
		} else if err != nil {
			return false, err
		}
	}
	a.sizes = append(a.sizes, a.sent()+size)
	return !a.closed, nil
}

// write writes a line that does not count. A client may close the connection before it
// has read all that the server has sent.
func (p *Player) write(line string) error {
	if p.sock.closed {
		return nil
	}
	_, err := io.WriteString(p.sock.conn, line+"\n")
	if err != nil && !p.Serve {
		return fmt.Errorf("the connection has ended: %w", err)
	}
	return nil
}

// message writes a message.
func (p *Player) message(line string) error {
	if p.session.wirecall {
		p.session.sent = append(p.session.sent, line)
	}
	return p.write(line)
}

// send sends a line of the file.
func (p *Player) send(l Line) error {
	text := p.names.Sent(l.Text)
	m, err := parseMessage(text)
	if err != nil {
		return p.fail(l, "not JSON: %v", err)
	}
	switch method := m.method(); {
	case m.isRuntime(), p.Serve && m.isAnswer() && p.session.isAnswer(m):
		return nil
	case method == "rpc.hello":
		return p.hello(l, m)
	case method == "rpc.resume":
		return p.resume(l, m)
	case method == "$/items":
		return p.sendItems(l, text)
	case method == "$/cancel":
		return p.leave(l, m)
	case m.batch == nil && m.isAnswer():
		return p.answer(l, m)
	case method != "" && m.id() == "":
		if _, err := p.spend(l, p.account("0"), len(text)); err != nil {
			return err
		}
	}
	return p.sendText(l, text)
}

func (p *Player) sendText(l Line, text string) error {
	if err := p.message(text); err != nil {
		return p.fail(l, "%v", err)
	}
	return nil
}

func (p *Player) sendMembers(l Line, m message) error {
	text, err := json.Marshal(m.members)
	if err != nil {
		return p.fail(l, "%v", err)
	}
	return p.sendText(l, string(text))
}

// answer answers a call of the peer under the id that the call has now.
func (p *Player) answer(l Line, m message) error {
	if id, ok := p.numbers.ids[m.id()]; ok {
		m.members["id"] = id
	}
	return p.sendMembers(l, m)
}

// leave leaves a stream of the peer.
func (p *Player) leave(l Line, m message) error {
	file := m.handle()
	p.stream(file).left = true
	for _, e := range p.want["stream "+file] {
		e.done = true
	}
	if params := m.params(); len(params) > 0 && p.numbers.handles[file] != nil {
		params[0] = p.numbers.handles[file]
	}
	return p.sendMembers(l, m)
}

// sendItems sends each item as soon as there is credit for it.
func (p *Player) sendItems(l Line, line string) error {
	var m struct{ Params [2]json.RawMessage }
	var items []json.RawMessage
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		return p.fail(l, "%v", err)
	}
	if err := json.Unmarshal(m.Params[1], &items); err != nil {
		return p.fail(l, "%v", err)
	}
	a := p.account(string(m.Params[0]))
	for _, item := range items {
		wanted, err := p.spend(l, a, len(item))
		if err != nil || !wanted {
			return err
		}
		if err := p.sendText(l, fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/items","params":[%s,[%s]]}`, m.Params[0], item)); err != nil {
			return err
		}
	}
	return nil
}

// The credit that the player gives: as much as the file has items, but at least what a
// stream begins with, and at most what is allowed.
const (
	firstItems  = 64
	mostItems   = 16_384
	grantBytes  = 1 << 20
	grantNotes  = 4_096
	eachOfNotes = 32
)

// grant gives the peer credit for the items of a stream that the file has further down.
func (p *Player) grant(handle string, s *incoming) error {
	if s.left || s.taken == 0 || s.taken >= s.items {
		return nil
	}
	room := min(max(s.items, firstItems)-s.taken, mostItems)
	return p.message(fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/credit","params":[%s,%d,%d,%d]}`, handle, s.taken, room, grantBytes))
}

// noteNotification counts a notification of the peer, and gives credit for more.
func (p *Player) noteNotification(m message) error {
	if !p.session.wirecall || m.method() == "" || m.id() != "" || len(m.method()) > 1 && m.method()[:2] == "$/" {
		return nil
	}
	if p.session.notes++; p.session.notes%eachOfNotes != 0 {
		return nil
	}
	return p.message(fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/credit","params":[0,%d,%d,%d]}`, p.session.notes, grantNotes, grantBytes))
}
