package rpc_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	nodes "github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/transcript"
	"github.com/wirecall/wirecall/rpc"
)

// TestConversations replays testdata/*.txt, which are the protocol in a form
// that a program can check. testdata/README.md describes their language.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, c := range readConversations(t, file) {
				if c.redirects {
					continue // TestConversationsOverWebSocket replays it
				}
				t.Run(c.name, func(t *testing.T) { synctest.Test(t, c.replay) })
			}
		})
	}
}

// The corner cases in PROTOCOL.md name conversations that are there.
func TestCornerCases(t *testing.T) {
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, row := range regexp.MustCompile("(?m)^\\|.*\\| ((?:`[a-z-]+`(?:, )?)+: .*) \\|$").FindAllSubmatch(text, -1) {
		for part := range strings.SplitSeq(string(row[1]), "; ") {
			files, names, _ := strings.Cut(part, ": ")
			for file := range strings.SplitSeq(files, ", ") {
				have := readConversations(t, "testdata/"+strings.Trim(file, "`")+".txt")
				for name := range strings.SplitSeq(names, ", ") {
					if named++; !slices.ContainsFunc(have, func(c *conversation) bool { return c.name == name }) {
						t.Errorf("%s has no conversation %q", file, name)
					}
				}
			}
		}
	}
	if named == 0 {
		t.Error("no corner cases")
	}
}

// The README of the transcripts has every line, and everything that our program
// can do.
func TestTranscriptLanguage(t *testing.T) {
	text, err := os.ReadFile("testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	has := func(what string) {
		if !regexp.MustCompile("`" + regexp.QuoteMeta(what) + "[ `]").Match(text) {
			t.Errorf("testdata/README.md does not describe %q", what)
		}
	}
	for _, m := range transcript.Markers {
		if m != "@" { // which a number follows at once
			has(m)
		}
	}
	has("@1")
	for name := range calls {
		has(name)
	}
}

// A conversation is one connection's worth of a file.
type conversation struct {
	file, name string
	limits     rpc.Limits
	sessions   *rpc.SessionOptions // nil where our side keeps none
	auth       []string            // the tokens of our side as a client, in turn
	asks       bool                // our side as a server authenticates
	describes  bool                // our side as a server describes itself
	framing    rpc.Framing         // of both sides
	plain      bool                // our side as a client sends no hello
	redirects  bool                // its lines have what a client says of redirects
	nodes      nodes.Nodes         // of which our side as a server is one; nil for none
	lines      []transcript.Line
	over       string // the subprotocol that wirecall mode goes over; empty for lines
}

// readConversations reads a file.
func readConversations(t *testing.T, file string) (all []*conversation) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	read, err := transcript.Parse(file, string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range read {
		c := &conversation{file: file, name: r.Name, limits: rpc.Limits{IdleTimeout: -1}, lines: r.Lines}
		for _, l := range r.Settings {
			c.limit(t, l)
		}
		all = append(all, c)
	}
	return all
}

// limit sets one of the limits, or of the options for sessions.
func (c *conversation) limit(t *testing.T, l transcript.Line) {
	of, text := reflect.ValueOf(&c.limits), l.Text
	if rest, ok := strings.CutPrefix(text, "Sessions"); ok {
		if c.sessions == nil {
			c.sessions = &rpc.SessionOptions{Principal: principal}
		}
		if rest == "" {
			return
		}
		of, text = reflect.ValueOf(c.sessions), strings.TrimSpace(rest)
	}
	name, value, _ := strings.Cut(text, " ")
	switch name {
	case "Authenticate":
		c.asks = true
		return
	case "Describe":
		c.describes = true
		return
	case "Framing":
		c.framing = map[string]rpc.Framing{"ContentLength": rpc.ContentLength}[value]
		return
	case "Plain":
		c.plain = true
		return
	case "Redirect":
		c.redirects = true
		return
	case "Node":
		c.nodes = fewNodes(value)
		return
	case "Token":
		c.auth = strings.Fields(value)
		return
	}
	f := of.Elem().FieldByName(name)
	if !f.IsValid() {
		t.Fatalf("%s:%d: no limit is called %s", c.file, l.N, name)
	}
	if d, err := time.ParseDuration(value); err == nil {
		f.SetInt(int64(d))
		return
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("%s:%d: %v", c.file, l.N, err)
	}
	f.SetInt(int64(n))
}

// byClient reports whether our side is the client.
func (c *conversation) byClient() bool { return c.lines[0].Text == "dial" }

// replay holds the conversation with this package's other end.
func (c *conversation) replay(t *testing.T) {
	peer := &scriptedPeer{t: t, conversation: c, prog: newProgram(t, c), names: transcript.Names{}}
	defer func() {
		for _, s := range peer.sockets {
			s.setReading(true)
			s.conn.Close()
		}
		peer.prog.stop()
		for _, s := range peer.sockets {
			<-s.eof
		}
		time.Sleep(24 * time.Hour) // until every handler has returned: the bubble looks for what is left
	}()
	if !c.byClient() {
		peer.dial("")
	}
	for i := 0; i < len(c.lines); i++ {
		l := c.lines[i]
		peer.at = l
		switch l.Marker {
		case "<-", "<-lost", "<*":
			group := []transcript.Line{l}
			for l.Marker == "<*" && i+1 < len(c.lines) && c.lines[i+1].Marker == "<*" {
				i++
				group = append(group, c.lines[i])
			}
			peer.expect(group)
		case "<-close", "<-cut":
			peer.expectClose(l)
		case "~<":
			peer.expectReport(l.Text)
		case "@":
			peer.do(l)
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
	t       *testing.T
	at      transcript.Line
	prog    *program
	sockets []*scriptedSocket
	now     *scriptedSocket // what the lines are about
	names   transcript.Names
}

func (p *scriptedPeer) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s:%d: %s", p.file, p.at.N, fmt.Sprintf(format, args...))
}

// do is a line that makes something happen.
func (p *scriptedPeer) do(l transcript.Line) {
	p.t.Helper()
	switch l.Marker {
	case "->":
		if _, err := p.now.conn.Write(p.now.framed(p.names.Fill(l.Text))); err != nil {
			p.fatalf("the connection has ended: %v", p.prog.cause())
		}
	case "->raw":
		p.now.conn.Write([]byte(p.names.Fill(l.Text)))
	case "->half":
		if text := p.names.Fill(l.Text); text != "" {
			p.now.conn.Write(bytes.TrimSuffix(p.now.framed(text), []byte("\n")))
		}
		p.now.half()
	case "->close", "->cut":
		p.now.conn.Close()
	case "->dial":
		p.dial(strings.TrimPrefix(l.Text, "as "))
	case "<-dial":
		p.answerDial(l.Text)
	case "@":
		n, err := strconv.Atoi(l.Text)
		if err != nil || n < 1 || n > len(p.sockets) {
			p.fatalf("there is no socket %s", l.Text)
		}
		p.now = p.sockets[n-1]
	case "~>":
		if err := p.prog.do(l.Text); err != nil {
			p.fatalf("%v", err)
		}
		if l.Text == "dial" {
			p.answerDial("0s")
		}
	case "->deaf", "->hears":
		p.now.setReading(l.Marker == "->hears")
	case "..":
		time.Sleep(p.duration(l.Text))
	}
}

func (p *scriptedPeer) duration(text string) time.Duration {
	p.t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		p.fatalf("%v", err)
	}
	return d
}

// socket makes another socket the one that lines are about, and returns its other
// end.
func (p *scriptedPeer) socket() net.Conn {
	near, far := net.Pipe()
	p.now = newScriptedSocket(far, p.framing)
	p.sockets = append(p.sockets, p.now)
	p.now.half = func() { near.SetReadDeadline(time.Unix(1, 0)) }
	return halfPipe{near}
}

// dial connects to our side.
func (p *scriptedPeer) dial(as string) { p.prog.accept(p.socket(), as) }

// answerDial wants our side to connect within a time, and where there are two not
// before the first.
func (p *scriptedPeer) answerDial(within string) {
	p.t.Helper()
	within, host, _ := strings.Cut(within, " at ")
	if least, most, ok := strings.Cut(within, " to "); ok {
		time.Sleep(p.duration(least) - time.Nanosecond)
		synctest.Wait()
		near, far := net.Pipe()
		select {
		case p.prog.dialed <- near:
			p.fatalf("our side dials too early")
		default:
			far.Close()
		}
		within = (p.duration(most) - p.duration(least)).String()
	}
	select {
	case p.prog.dialed <- p.socket():
	case <-time.After(p.duration(within) + 2*time.Nanosecond):
		p.fatalf("our side does not dial")
	}
	if host != "" && host != p.prog.host() {
		p.fatalf("our side dials %s", p.prog.host())
	}
}

// followsRedirects returns a line of a client as one sends it that follows redirects.
func followsRedirects(line string) string {
	if !strings.Contains(line, `"method":"rpc.hello"`) && !strings.Contains(line, `"method":"rpc.resume"`) {
		return line
	}
	rest, auth := strings.TrimSuffix(line, "}}"), ""
	if i := strings.Index(rest, `,"auth":`); i >= 0 {
		rest, auth = rest[:i], rest[i:]
	}
	return rest + `,"redirect":true` + auth + "}}"
}

// nothingMore fails if our side has sent or reported more than the file has.
func (p *scriptedPeer) nothingMore() {
	p.t.Helper()
	synctest.Wait()
	for _, s := range p.sockets {
		if line, ok := s.next(); ok {
			p.fatalf("before this line, unexpected:\n<- %s", short(line))
		}
	}
	if report, ok := p.prog.reported(); ok {
		p.fatalf("before this line, unexpected:\n~< %s", short(report))
	}
}

// expect takes lines that come in any order.
func (p *scriptedPeer) expect(group []transcript.Line) {
	p.t.Helper()
	synctest.Wait()
	var want []*expectation
	for _, l := range group {
		if p.over != "" && p.byClient() && !p.redirects {
			l.Text = followsRedirects(l.Text)
		}
		if p.over == cborProtocol {
			l.Text = canonical(l.Text)
		}
		want = append(want, newExpectation(p.names.Fill(l.Text)))
	}
	for len(want) > 0 {
		line, ok := p.now.next()
		if !ok {
			p.fatalf("nothing came, want:\n<- %s\nconnection: %v", short(want[0].line), p.prog.cause())
		}
		i := 0
		for i < len(want) && !want[i].accept(p.names, line) {
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

// expectClose wants the socket to have ended.
func (p *scriptedPeer) expectClose(l transcript.Line) {
	p.t.Helper()
	synctest.Wait()
	line, ok := p.now.next()
	if ok && p.over != "" && l.Marker == "<-close" && strings.Contains(line, `"$/close"`) { // see TestCloseCodes
		line, ok = p.now.next()
	}
	if ok {
		p.fatalf("before the close, unexpected:\n<- %s", short(line))
	}
	select {
	case <-p.now.eof:
	default:
		p.fatalf("the connection is still open")
	}
	if p.over != "" || l.Text == "" {
		return
	}
	if err := p.prog.cause(); err == nil || err.Error() != l.Text {
		p.fatalf("the connection ended with:\n%v\nwant:\n%s", err, l.Text)
	}
}

func (p *scriptedPeer) expectReport(want string) {
	p.t.Helper()
	synctest.Wait()
	report, ok := p.prog.reported()
	if !ok {
		p.fatalf("nothing was seen, want:\n~< %s", want)
	}
	if report != want {
		p.fatalf("seen:\n~< %s\nwant:\n~< %s", short(report), short(want))
	}
}

func short(line string) string {
	if len(line) > 600 {
		return fmt.Sprintf("%s … (%d bytes)", line[:600], len(line))
	}
	return line
}
