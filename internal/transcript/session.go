package transcript

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// A session is what the player knows of the wirecall session that it is in. Its zero value
// is for plain JSON-RPC, or before hello.
type session struct {
	requests map[string]string // the method by the id of each request to the runtime in the file
	answer   map[string]any    // the file's, to hello

	wirecall bool
	awaited  string // the id of the request that begins a socket, until it is answered
	answered message

	token    string
	attempt  int
	notes    int      // that the peer has sent
	received int      // frames behind the first of each socket
	sent     []string // likewise
}

// note takes a message of the file.
func (s *session) note(l Line, m message) {
	switch method := m.method(); method {
	case "rpc.hello", "rpc.resume", "rpc.auth":
		if s.requests == nil {
			s.requests = make(map[string]string)
		}
		s.requests[m.id()] = method
	case "":
		if s.requests[m.id()] == "rpc.hello" && s.answer == nil && l.Marker != "->" {
			s.answer = asObject(m.members["result"])
		}
	}
}

// isAnswer reports whether m, a message of the server, answers a request to the runtime in
// the file.
func (s *session) isAnswer(m message) bool { return s.requests[m.id()] != "" }

// takes takes the answer to the request that begins a socket.
func (s *session) takes(m message) bool {
	if s.awaited == "" || m.id() != s.awaited || m.method() != "" {
		return false
	}
	s.awaited, s.answered = "", m
	return true
}

// begin sends the request that begins a socket, and waits for its answer.
func (p *Player) begin(l Line, line string, id string) (map[string]any, error) {
	p.session.awaited, p.since = id, time.Now()
	if err := p.write(line); err != nil {
		return nil, p.fail(l, "%v", err)
	}
	for p.session.awaited != "" {
		if err := p.receive(); err == errNothing || err == io.EOF {
			return nil, p.fail(l, "it is not answered: %v", err)
		} else if err != nil {
			return nil, err
		}
	}
	result, ok := p.session.answered.members["result"].(map[string]any)
	if !ok {
		return nil, p.fail(l, "it is refused: %s", shown(p.session.answered.members["error"]))
	}
	return result, nil
}

// hello begins the session. A second hello, after the first was refused, is ignored.
func (p *Player) hello(l Line, m message) error {
	if p.session.wirecall {
		return nil
	}
	result, err := p.begin(l, p.names.Sent(l.Text), m.id())
	if err != nil {
		return err
	}
	p.session.wirecall = true
	p.session.token, _ = result["session"].(string)
	p.credit["0"] = &account{limit: integer(result["notes"], 64), bytes: integer(result["noteBytes"], 65_536)}
	return nil
}

// resume resumes the session over another socket.
func (p *Player) resume(l Line, m message) error {
	if p.session.token == "" {
		return p.fail(l, "the server keeps no session")
	}
	p.session.attempt++
	token, _ := json.Marshal(p.session.token)
	result, err := p.begin(l, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"rpc.resume","params":{"session":%s,"attempt":%d,"received":%d}}`,
		m.id(), token, p.session.attempt, p.session.received), m.id())
	if err != nil {
		return err
	}
	if token, ok := result["session"].(string); ok {
		p.session.token = token
	}
	for _, line := range p.session.sent[min(integer(result["received"], 0), len(p.session.sent)):] {
		if err := p.write(line); err != nil {
			return p.fail(l, "%v", err)
		}
	}
	return nil
}

// greet answers hello as the server, as the file does. The session ends with its socket.
func (p *Player) greet(m message) error {
	id, _ := json.Marshal(m.members["id"])
	if p.session.answer == nil {
		return p.write(`{"jsonrpc":"2.0","id":` + string(id) + `,"error":{"code":-32601,"message":"method not found: rpc.hello"}}`)
	}
	result := map[string]any{}
	for name, v := range p.session.answer {
		if name != "session" && name != "window" && name != "replay" {
			result[name] = v
		}
	}
	params := asObject(m.members["params"])
	p.session.wirecall = true
	p.credit["0"] = &account{limit: integer(params["notes"], 64), bytes: integer(params["noteBytes"], 65_536)}
	if e := p.first("request rpc.hello"); e != nil {
		e.done = true
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return p.write(`{"jsonrpc":"2.0","id":` + string(id) + `,"result":` + string(text) + `}`)
}

// runtime takes a message that the peer's runtime sends at times of its own choice.
func (p *Player) runtime(m message) error {
	switch m.method() {
	case "$/ping":
		n, _ := json.Marshal(m.params())
		return cmp.Or(p.ack(), p.message(`{"jsonrpc":"2.0","method":"$/pong","params":`+string(n)+`}`))
	case "$/credit":
		if c := m.params(); len(c) > 3 {
			p.account(m.handle()).grant(integer(c[1], 0), integer(c[2], 0), integer(c[3], 0))
		}
	case "rpc.auth":
		id, _ := json.Marshal(m.members["id"])
		return p.message(`{"jsonrpc":"2.0","id":` + string(id) + `,"result":{}}`)
	}
	return nil
}

func (p *Player) ack() error {
	if p.session.token == "" {
		return nil
	}
	return p.message(fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/ack","params":[%d,%d]}`, p.session.received, len(p.session.sent)+1))
}

func integer(v any, otherwise int) int {
	if n, ok := v.(json.Number); ok {
		if i, err := n.Int64(); err == nil {
			return int(i)
		}
	}
	return otherwise
}
