package record

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

const heading = `Recorded by wirecall record. rpctest.Replay holds a service to it, and
rpctest.ReplayServer a client.

`

// A conversation is one transcript: a connection, or a session over several.
type conversation struct {
	rec     *Recorder
	file    *os.File // nil before the first line
	socket  *socket  // the one that it has, or had last
	rewrite *rewriter
	stopped bool
	latest  time.Time

	frames [2]frameCount
	left   map[string]bool // streams that their consumer has left
	out    map[string]bool // ids of calls that are left out

	session  string // its name, if it can be resumed
	window   time.Duration
	detached time.Time
}

// A frameCount is how many frames of a direction have been sent on a session, and the
// number of the latest one over the socket that it has.
type frameCount struct{ seen, at int }

func (r *Recorder) conversation() *conversation {
	c := &conversation{rec: r, rewrite: newRewriter(r.hidden, r.Exact), left: make(map[string]bool), out: make(map[string]bool)}
	r.open[c] = struct{}{}
	return c
}

// line writes a line.
func (c *conversation) line(text string) {
	if c.stopped || c.rec.ended {
		return
	}
	if c.file == nil {
		if c.file = c.rec.create(); c.file == nil {
			c.stopped = true
			return
		}
		text = heading + text
	}
	_, err := c.file.WriteString(text + "\n")
	c.rec.fail(err)
}

// section begins a conversation in the same file.
func (c *conversation) section(n int) {
	c.line(fmt.Sprintf("\n-- post %d\nA POST.\n", n))
}

func (c *conversation) comment(format string, args ...any) {
	c.line("# " + fmt.Sprintf(format, args...))
}

// stop ends the transcript, which can be replayed up to here.
func (c *conversation) stop(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	c.comment("The recording ends here: %s.", why)
	c.rec.Log("a recording has ended: " + why)
	c.close()
	c.stopped = true
}

func (c *conversation) close() {
	if c.file != nil {
		c.rec.fail(c.file.Close())
		c.rec.Log("wrote " + c.file.Name())
	}
	c.file, c.stopped = nil, true
	delete(c.rec.open, c)
	if c.session != "" {
		delete(c.rec.waiting, c.session)
	}
}

// pause is how long a server may take for what it sends before the time is written. It is
// less than rpctest waits.
const pause = 5 * time.Second

// message writes a message.
func (c *conversation) message(d direction, m []byte) {
	now := time.Now()
	if waited := now.Sub(c.latest); d == server && waited > pause && !c.latest.IsZero() {
		c.line(".. " + waited.Round(time.Second).String())
	}
	c.latest = now
	if c.rec.Times {
		c.comment("after %v", now.Sub(c.rec.begun).Round(time.Millisecond))
	}
	c.line(arrows[d] + " " + c.rewrite.message(d, m))
}

// control writes hello, or its answer, without what is secret.
func (c *conversation) control(d direction, m []byte) {
	var e struct {
		ID     json.RawMessage            `json:"id"`
		Params map[string]json.RawMessage `json:"params"`
		Result map[string]json.RawMessage `json:"result"`
	}
	json.Unmarshal(m, &e)
	if e.Result == nil {
		c.line(fmt.Sprintf(`-> {"jsonrpc":"2.0","id":%s,"method":"rpc.hello","params":%s}`, e.ID, numbersOf(e.Params)))
		return
	}
	c.line(fmt.Sprintf(`<- {"jsonrpc":"2.0","id":%s,"result":%s}`, e.ID, numbersOf(e.Result)))
}

// handshakeNumbers are the members of hello and its answer that are written.
var handshakeNumbers = []string{"v", "calls", "streams", "message", "notes", "noteBytes", "replay", "window"}

func numbersOf(members map[string]json.RawMessage) string {
	var parts []string
	for _, name := range handshakeNumbers {
		var n uint64
		if raw, ok := members[name]; ok && json.Unmarshal(raw, &n) == nil {
			parts = append(parts, fmt.Sprintf("%q:%d", name, n))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// isControl takes what is not written as a message: what the runtimes say to each other,
// and items of a stream that has been left.
func (c *conversation) isControl(d direction, e envelope) bool {
	switch e.Method {
	case "$/ack", "$/ping", "$/pong", "$/auth":
		return true
	case "$/credit", "$/goaway", "$/moved":
		c.comment("%s %s %s", arrows[d], e.Method, e.Params)
		return true
	case "$/cancel", "$/items", "$/end":
		return c.isOfLeftStream(d, e)
	}
	return false
}

// leavesOut reports whether a message is of a call that is not written: rpc.auth has
// secrets, and rpc.discover is about the server and not about what it does.
func (c *conversation) leavesOut(d direction, e envelope) bool {
	id := string(e.ID)
	switch {
	case d == client && (e.Method == "rpc.auth" || e.Method == "rpc.discover"):
		c.rec.hidden.ofHandshake(e.Params)
		c.out[id] = true
		return true
	case d == server && e.Method == "" && c.out[id]:
		delete(c.out, id)
		return true
	}
	return false
}

func (c *conversation) isOfLeftStream(d direction, e envelope) bool {
	var params []json.RawMessage
	if json.Unmarshal(e.Params, &params) != nil || len(params) == 0 {
		return false
	}
	producer := d
	if e.Method == "$/cancel" {
		producer = 1 - d
	}
	key := arrows[producer] + string(params[0])
	switch e.Method {
	case "$/cancel":
		c.left[key] = true
	case "$/items":
		return c.left[key]
	case "$/end":
		delete(c.left, key)
	}
	return false
}

// count counts a frame and reports whether it has not been sent before.
func (c *conversation) count(d direction) bool {
	f := &c.frames[d]
	f.at++
	if f.at <= f.seen {
		return false
	}
	f.seen = f.at
	return true
}

// keep takes the answer to hello: whether the session can be resumed.
func (c *conversation) keep(result json.RawMessage) {
	var r struct {
		Session string
		Window  int64
		Replay  int
	}
	if json.Unmarshal(result, &r) == nil && r.Session != "" && r.Window > 0 && r.Replay > 0 {
		c.session, c.window = sessionName(r.Session), time.Duration(r.Window)*time.Millisecond
		c.rec.waiting[c.session] = c
	}
}

// sessionName returns the part of a session's token that is not secret.
func sessionName(token string) string {
	name, _, _ := strings.Cut(token, ".")
	return name
}

// cuts are the close codes after which a session can be resumed.
var cuts = map[int]bool{0: true, 1001: true, 1005: true, 1006: true, 1011: true, 1012: true, 1013: true, 1014: true, 1015: true, 4000: true, 4003: true}

// detach reports whether the session can be resumed after a close code.
func (c *conversation) detach(code int) bool {
	c.detached = time.Now()
	return c.session != "" && cuts[code]
}

// attach continues the session over another socket, of which the client and the server
// have received so many frames.
func (c *conversation) attach(s *socket, byClient, byServer int) {
	c.socket, c.detached = s, time.Time{}
	c.frames[server].at, c.frames[client].at = byClient, byServer
}

// forget closes the files of sessions that can no longer be resumed. The mutex is held.
func (r *Recorder) forget() {
	for _, c := range r.waiting {
		if !c.detached.IsZero() && time.Since(c.detached) > c.window {
			c.close()
		}
	}
}
