package rpc_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// TestConversations replays testdata/*.txt, which is the protocol as a program
// can check it. Each file begins with why it exists; "-- name" begins another
// conversation in the same file, on a connection of its own, again with prose.
// What follows the prose is lines:
//
//	! Calls 2      a limit of ours (rpc.Limits) that is not the default; none
//	               is idle for too long unless Idle is given
//	-> {…}         the peer sends a line
//	<- {…}         we send exactly this, next
//	<* {…}         so too; consecutive ones come in any order
//	<-close why    we end the connection, with this as its cause
//	->close        the peer ends the connection
//	->deaf         the peer does not read from now on
//	->hears        and now it does
//	.. 1h          time passes
//	~> add 3 4     our program does something (see program.do); where that is
//	               dial, before anything else, our side is the client
//	~< 7           and this is what it sees
//	# …            a remark
//
// Nothing may be sent, or seen, that the file does not say: it is looked for
// before every line, when all goroutines have come to rest. How many items of
// a stream travel in one $/items is not promised, so those of consecutive ones
// are counted together. «x*70000» stands for 70,000 times x; x may have Go's
// escapes.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, c := range readConversations(t, file) {
				t.Run(c.name, func(t *testing.T) { synctest.Test(t, c.replay) })
			}
		})
	}
}

// A conversation is one connection's worth of a file.
type conversation struct {
	file, name string
	limits     rpc.Limits
	lines      []scriptLine
	over       string // the subprotocol that wirecall mode goes over; empty for lines
}

type scriptLine struct {
	n            int
	marker, text string
}

// markers, longer ones before those that they begin with.
var markers = []string{"<-close", "->close", "->deaf", "->hears", "->", "<-", "<*", "..", "~>", "~<", "!", "#"}

// readConversations reads a file.
func readConversations(t *testing.T, file string) []*conversation {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{file: file, name: "first", limits: rpc.Limits{Idle: -1}}
	all := []*conversation{c}
	prose := 0
	for i, line := range strings.Split(string(text), "\n") {
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			if prose == 0 {
				t.Fatalf("%s:%d: the conversation above does not say why it exists", file, i+1)
			}
			c = &conversation{file: file, name: strings.TrimSpace(name), limits: rpc.Limits{Idle: -1}}
			all = append(all, c)
			prose = 0
			continue
		}
		l := scriptLine{n: i + 1}
		for _, m := range markers {
			if rest, ok := strings.CutPrefix(line, m); ok {
				l.marker, l.text = m, expand(strings.TrimSpace(rest))
				break
			}
		}
		switch {
		case l.marker == "" && strings.TrimSpace(line) == "", l.marker == "#":
		case l.marker == "" && len(c.lines) > 0:
			t.Fatalf("%s:%d: prose inside a conversation", file, i+1)
		case l.marker == "":
			prose++
		case l.marker == "!":
			c.limit(t, l)
		default:
			c.lines = append(c.lines, l)
		}
	}
	if len(all) > 1 && len(all[0].lines) == 0 {
		all = all[1:] // prose about the whole file
	}
	return all
}

var repeated = regexp.MustCompile(`«(.*?)\*(\d+)»`)

func expand(line string) string {
	return repeated.ReplaceAllStringFunc(line, func(s string) string {
		m := repeated.FindStringSubmatch(s)
		what, err := strconv.Unquote(`"` + m[1] + `"`)
		n, _ := strconv.Atoi(m[2])
		if err != nil {
			panic(s)
		}
		return strings.Repeat(what, n)
	})
}

// limit sets one of the limits.
func (c *conversation) limit(t *testing.T, l scriptLine) {
	name, value, _ := strings.Cut(l.text, " ")
	f := reflect.ValueOf(&c.limits).Elem().FieldByName(name)
	if !f.IsValid() {
		t.Fatalf("%s:%d: no limit is called %s", c.file, l.n, name)
	}
	if d, err := time.ParseDuration(value); err == nil {
		f.SetInt(int64(d))
		return
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("%s:%d: %v", c.file, l.n, err)
	}
	f.SetInt(int64(n))
}

// replay holds the conversation with this package's other end.
func (c *conversation) replay(t *testing.T) {
	near, far := net.Pipe()
	peer := &scriptedPeer{t: t, conversation: c, conn: far, eof: make(chan struct{})}
	prog := newProgram(c.limits, near)
	go peer.read()
	defer func() {
		peer.listen(true)
		far.Close()
		prog.stop()
		<-peer.eof
		time.Sleep(24 * time.Hour) // until every handler has returned: the bubble looks for what is left
	}()
	switch {
	case c.over != "":
		prog.srv = newTestServer(c.limits)
		prog.wait = c.dialWS(t, prog.srv, near)
	case c.lines[0].text != "dial":
		prog.serve()
	}
	peer.prog = prog
	for i := 0; i < len(c.lines); i++ {
		l := c.lines[i]
		peer.at = l
		switch l.marker {
		case "<-", "<*":
			group := []scriptLine{l}
			for l.marker == "<*" && i+1 < len(c.lines) && c.lines[i+1].marker == "<*" {
				i++
				group = append(group, c.lines[i])
			}
			peer.expect(group)
		case "<-close":
			peer.expectClose(l.text)
		case "~<":
			peer.expectSaid(l.text)
		default:
			peer.nothingMore()
			peer.do(l)
		}
	}
	peer.nothingMore()
}

// A scriptedPeer is the side of a conversation that the file speaks for.
type scriptedPeer struct {
	*conversation
	t    *testing.T
	at   scriptLine
	conn net.Conn
	prog *program
	eof  chan struct{} // closed when our side has ended the connection

	mu   sync.Mutex
	got  []string
	deaf chan struct{} // closed when the peer listens again
}

func (p *scriptedPeer) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s:%d: %s", p.file, p.at.n, fmt.Sprintf(format, args...))
}

// read takes in lines until the connection ends.
func (p *scriptedPeer) read() {
	defer close(p.eof)
	br := bufio.NewReader(reading{p})
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		p.mu.Lock()
		p.got = append(p.got, strings.TrimSuffix(line, "\n"))
		p.mu.Unlock()
	}
}

// reading is the connection for a peer that may be deaf.
type reading struct{ *scriptedPeer }

func (r reading) Read(b []byte) (int, error) {
	n, err := r.conn.Read(b)
	r.mu.Lock()
	deaf := r.deaf
	r.mu.Unlock()
	if deaf != nil {
		<-deaf
	}
	return n, err
}

// do is a line that makes something happen.
func (p *scriptedPeer) do(l scriptLine) {
	p.t.Helper()
	switch l.marker {
	case "->":
		if _, err := p.conn.Write([]byte(l.text + "\n")); err != nil {
			p.fatalf("the connection has ended: %v", p.prog.cause())
		}
	case "->close":
		p.conn.Close()
	case "~>":
		if err := p.prog.do(l.text); err != nil {
			p.fatalf("%v", err)
		}
	case "->deaf", "->hears":
		p.listen(l.marker == "->hears")
	case "..":
		p.pass(l.text)
	}
}

// pass lets time pass.
func (p *scriptedPeer) pass(text string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		p.fatalf("%v", err)
	}
	time.Sleep(d)
}

// listen makes the peer deaf, or not.
func (p *scriptedPeer) listen(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if yes && p.deaf != nil {
		close(p.deaf)
		p.deaf = nil
	}
	if !yes && p.deaf == nil {
		p.deaf = make(chan struct{})
	}
}

// next returns the next line that we sent.
func (p *scriptedPeer) next() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		return "", false
	}
	line := p.got[0]
	p.got = p.got[1:]
	return line, true
}

// nothingMore fails where we said more than the file does.
func (p *scriptedPeer) nothingMore() {
	p.t.Helper()
	synctest.Wait()
	if line, ok := p.next(); ok {
		p.fatalf("before this line, unexpected:\n<- %s", short(line))
	}
	if said, ok := p.prog.heard(); ok {
		p.fatalf("before this line, unexpected:\n~< %s", short(said))
	}
}

// expect takes lines that come in any order.
func (p *scriptedPeer) expect(group []scriptLine) {
	p.t.Helper()
	synctest.Wait()
	var want []*expectation
	for _, l := range group {
		if p.over == cborProtocol {
			l.text = canonical(l.text)
		}
		want = append(want, newExpectation(l.text))
	}
	for len(want) > 0 {
		line, ok := p.next()
		if !ok {
			p.fatalf("nothing came, want:\n<- %s\nconnection: %v", short(want[0].line), p.prog.cause())
		}
		i := 0
		for i < len(want) && !want[i].accept(line) {
			i++
		}
		if i == len(want) {
			p.fatalf("got:\n<- %s\nwant:\n<- %s", short(line), short(want[0].line))
		}
		if want[i].done {
			want = append(want[:i], want[i+1:]...)
		}
	}
}

// expectClose wants the connection to have ended.
func (p *scriptedPeer) expectClose(cause string) {
	p.t.Helper()
	synctest.Wait()
	if line, ok := p.next(); ok {
		p.fatalf("before the close, unexpected:\n<- %s", short(line))
	}
	select {
	case <-p.eof:
	default:
		p.fatalf("the connection is still open")
	}
	if p.over != "" {
		return // see TestCloseCodes
	}
	if err := p.prog.cause(); cause != "" && (err == nil || err.Error() != cause) {
		p.fatalf("the connection ended with:\n%v\nwant:\n%s", err, cause)
	}
}

func (p *scriptedPeer) expectSaid(want string) {
	p.t.Helper()
	synctest.Wait()
	said, ok := p.prog.heard()
	if !ok {
		p.fatalf("nothing was seen, want:\n~< %s", want)
	}
	if said != want {
		p.fatalf("seen:\n~< %s\nwant:\n~< %s", short(said), short(want))
	}
}

func short(line string) string {
	if len(line) > 600 {
		return fmt.Sprintf("%s … (%d bytes)", line[:600], len(line))
	}
	return line
}

// An expectation is a line that is to come: to the byte, except that the items
// of a stream may be spread over several messages.
type expectation struct {
	line   string
	handle json.RawMessage
	items  []json.RawMessage
	done   bool
}

func newExpectation(line string) *expectation {
	e := &expectation{line: line}
	e.handle, e.items, _ = itemsOf(line)
	return e
}

// accept takes a line that is what was expected, or a part of that.
func (e *expectation) accept(line string) bool {
	if e.items == nil {
		e.done = line == e.line
		return e.done
	}
	handle, items, ok := itemsOf(line)
	if !ok || !bytes.Equal(handle, e.handle) || len(items) > len(e.items) {
		return false
	}
	for i, item := range items {
		if !bytes.Equal(item, e.items[i]) {
			return false
		}
	}
	e.items = e.items[len(items):]
	e.done = len(e.items) == 0
	return true
}

const itemsHead = `{"jsonrpc":"2.0","method":"$/items","params":[`

// itemsOf takes a $/items apart that is exactly as we write them.
func itemsOf(line string) (handle json.RawMessage, items []json.RawMessage, ok bool) {
	params, ok := strings.CutPrefix(line, itemsHead)
	if !ok {
		return nil, nil, false
	}
	var pair []json.RawMessage
	if json.Unmarshal([]byte("["+strings.TrimSuffix(params, "}")), &pair) != nil || len(pair) != 2 {
		return nil, nil, false
	}
	if json.Unmarshal(pair[1], &items) != nil || len(items) == 0 {
		return nil, nil, false
	}
	again := itemsHead + string(pair[0]) + ",[" + string(bytes.Join(raws(items), []byte(","))) + "]]}"
	return pair[0], items, again == line
}

func raws(items []json.RawMessage) (bs [][]byte) {
	for _, item := range items {
		bs = append(bs, item)
	}
	return bs
}
