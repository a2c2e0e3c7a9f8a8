package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/transcript"
	"github.com/wirecall/wirecall/internal/wire"
	"github.com/wirecall/wirecall/rpc"
)

const (
	helloRequest = `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":32,"streams":32,"message":1048576}}`
	helloAnswer  = `{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":256,"streams":256,"message":1048576,"notes":4096,"noteBytes":1048576}}`
	jsonProtocol = "wirecall.v1.json"
	cborProtocol = "wirecall.v1.cbor"
)

func newTestServer(limits rpc.Limits) *rpc.Server {
	if limits.IdleTimeout == 0 {
		limits.IdleTimeout = -1
	}
	srv := rpc.NewServer(&rpc.ServerOptions{Limits: limits, Codecs: []codec.Codec{cbor.Codec}})
	srv.Register(services()...)
	return srv
}

// A frame holds several messages; hello and its answer are alone in theirs, and
// calls may be sent right behind hello.
func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := frameClient(t, newTestServer(rpc.Limits{}), jsonProtocol)
		p.send(websocket.MessageText, helloRequest)
		p.send(websocket.MessageText, strings.Join([]string{
			`{"jsonrpc":"2.0","id":2,"method":"Test.Sleep","params":[5000]}`,
			`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}`,
			`{"jsonrpc":"2.0","id":3,"method":"Test.Add","params":[1,2]}`,
		}, "\n"))
		frames := p.receiveAll()
		if len(frames) < 2 || frames[0] != helloAnswer {
			t.Fatalf("got %q, want the answer to hello first, and alone", frames)
		}
		answers := strings.Split(strings.Join(frames[1:], "\n"), "\n")
		want := map[string]bool{
			`{"jsonrpc":"2.0","id":2,"error":{"code":-32800,"message":"canceled by the caller"}}`: true,
			`{"jsonrpc":"2.0","id":3,"result":3}`:                                                 true,
		}
		if len(answers) != 2 || !want[answers[0]] || !want[answers[1]] || answers[0] == answers[1] {
			t.Errorf("got %q", answers)
		}

		p.send(websocket.MessageText, `{"jsonrpc":"2.0","id":4,"method":"Test.Blobs","params":{"n":20,"size":3000}}`)
		for _, f := range p.receiveAll() {
			if len(f) > 32<<10 {
				t.Errorf("a packed frame of %d bytes", len(f))
			}
		}
		p.send(websocket.MessageText, `{"jsonrpc":"2.0","id":5,"method":"Test.Big","params":[100000]}`)
		if frames := p.receiveAll(); len(frames) != 1 || strings.Contains(frames[0], "\n") || len(frames[0]) < 100000 {
			t.Errorf("got %d frames, want one with one large message", len(frames))
		}
	})
}

// A frame counts as one however many messages it holds, and an ack is the first
// of them.
func TestFramesCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := frameClient(t, server(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}}, services()...), jsonProtocol)
		p.send(websocket.MessageText, strings.Replace(helloRequest, `"v":1`, `"v":1,"replay":65536`, 1))
		p.receiveAll()
		add := func(id int) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"Test.Add","params":[1,2]}`, id)
		}
		ack := func(received, sent int) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/ack","params":[%d,%d]}`, received, sent)
		}
		p.send(websocket.MessageText, add(2)+"\n"+add(3)+"\n"+add(4))
		time.Sleep(time.Second)
		frames := p.receiveAll()
		if n := len(frames); n == 0 || !strings.HasPrefix(frames[n-1], ack(1, n)) {
			t.Errorf("got %q, want an ack of one frame at last", frames)
		}
		p.send(websocket.MessageText, ack(len(frames), 2)+"\n"+add(5))
		if frames := p.receiveAll(); len(frames) != 1 {
			t.Errorf("behind an ack: %q", frames)
		}
		time.Sleep(time.Second)
		p.receiveAll()
		sent := len(frames) + 2
		p.send(websocket.MessageText, add(6)+"\n"+`{"jsonrpc":"2.0","method":"$/ping","params":[7]}`)
		if frames := strings.Join(p.receiveAll(), "\n"); !strings.Contains(frames, ack(3, sent+1)) && !strings.Contains(frames, ack(3, sent+2)) {
			t.Errorf("got %q, want an ack, as a ping behind what is to be acknowledged asks for", frames)
		}
		p.send(websocket.MessageText, add(7)+"\n"+ack(1, 4))
		if got := p.closeStatus(); got != "4500 a control message is malformed" {
			t.Errorf("an ack that is not the first: %s", got)
		}
	})
}

// How connections end: the code says whether to come back.
func TestCloseCodes(t *testing.T) {
	text, binary := websocket.MessageText, websocket.MessageBinary
	add := `{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`
	note := `{"jsonrpc":"2.0","method":"Test.Note","params":["x",1000]}`
	for _, test := range []struct {
		name     string
		protocol string
		frames   []string
		typ      websocket.MessageType
		then     func(*rpc.Server)
		want     string
	}{
		{"no hello", jsonProtocol, []string{add}, text, nil, "4500 the first message must be rpc.hello or rpc.resume"},
		{"hello not alone", jsonProtocol, []string{helloRequest + "\n" + add}, text, nil, "4500 rpc.hello must be alone in its frame"},
		{"resume not alone", jsonProtocol, []string{`{"jsonrpc":"2.0","id":1,"method":"rpc.resume"}` + "\n" + helloRequest}, text, nil, "4500 rpc.resume must be alone in its frame"},
		{"hello late", jsonProtocol, nil, text, func(*rpc.Server) { time.Sleep(10 * time.Second) }, "4002 no hello within the time for the handshake"},
		{"malformed", jsonProtocol, []string{helloRequest, "hello"}, text, nil, "4500 parse error: malformed JSON at byte 0"},
		{"batch", jsonProtocol, []string{helloRequest, "[" + add + "]"}, text, nil, "4500 invalid request: not an object"},
		{"empty frame", jsonProtocol, []string{helloRequest, ""}, text, nil, "4500 parse error: empty line in a frame"},
		{"empty line", jsonProtocol, []string{helloRequest, add + "\n\n" + add}, text, nil, "4500 parse error: empty line in a frame"},
		{"binary", jsonProtocol, []string{helloRequest}, binary, nil, "4500 a frame is binary: this connection uses text"},
		{"text on CBOR", cborProtocol, []string{helloRequest}, text, nil, "4500 a frame is text: this connection uses binary"},
		{"no byte string", cborProtocol, []string{"\xa0"}, binary, nil, "4500 parse error: frame is not a sequence of byte strings"},
		{"a byte string of 1 GiB", cborProtocol, []string{"\x5a\x40\x00\x00\x00"}, binary, nil, "4500 parse error: frame is not a sequence of byte strings"},
		{"too large", jsonProtocol, []string{helloRequest, `{"x":"` + strings.Repeat("x", 2<<20) + `"}`}, text, nil, "1009 read limited at 1048641 bytes"},
		{"shutdown", jsonProtocol, []string{helloRequest}, text, shutdown, "4001 shutting down"},
		{"close", jsonProtocol, []string{helloRequest}, text, func(s *rpc.Server) { s.Close() }, "4001"},
		{"plain shutdown", "", []string{add}, text, shutdown, "1001 shutting down"},
		{"plain close", "", []string{add}, text, func(s *rpc.Server) { s.Close() }, "1001"},
		{"plain notifications", "", []string{note, note, note, note}, text, nil, "1008 too many notifications wait: the peer sends them faster than they are handled"},
		{"plain too large", "", []string{`{"x":"` + strings.Repeat("x", 2<<20) + `"}`}, text, nil, "1009 read limited at 1048641 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newTestServer(rpc.Limits{Notifications: 2})
				var protocols []string
				if test.protocol != "" {
					protocols = append(protocols, test.protocol)
				}
				p := frameClient(t, srv, protocols...)
				for _, f := range test.frames {
					if len(f) > 1<<20 {
						go p.ws.Write(context.Background(), test.typ, []byte(f)) // which is not read to its end
					} else {
						p.send(test.typ, f)
					}
				}
				synctest.Wait()
				if test.then != nil {
					test.then(srv)
				}
				if got := p.closeStatus(); got != test.want {
					t.Errorf("closed with %q, want %q", got, test.want)
				}
				time.Sleep(time.Hour) // until the handlers have returned
			})
		})
	}
}

func shutdown(s *rpc.Server) { s.Shutdown(context.Background()) }

// A client that says goodbye is answered so.
func TestClientCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := frameClient(t, newTestServer(rpc.Limits{}), jsonProtocol)
		p.send(websocket.MessageText, helloRequest)
		p.receiveAll()
		if err := p.ws.Close(websocket.StatusNormalClosure, "bye"); err != nil {
			t.Errorf("the closing handshake: %v", err)
		}
	})
}

// A server offers both modes on one URL, and the client's codec.
func TestSubprotocols(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := frameClient(t, newTestServer(rpc.Limits{}))
		p.send(websocket.MessageText, `{"jsonrpc":"2.0","id":"x","method":"Test.Add","params":[1,2]}`)
		if got := p.receiveAll(); len(got) != 1 || got[0] != `{"jsonrpc":"2.0","id":"x","result":3}` {
			t.Errorf("plain: %q", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := frameClient(t, newTestServer(rpc.Limits{}), cborProtocol)
		frame := func(msg string) string { return string(wire.CBOR.AppendToFrame(nil, []byte(msg), true)) }
		p.send(websocket.MessageBinary, frame(
			"\xa3\x62id\x01\x66method\x69rpc.hello\x66params\xa4\x61v\x01\x65calls\x18\x20\x67streams\x18\x20\x67message\x1a\x00\x01\x00\x00"))
		p.send(websocket.MessageBinary, frame("\xa3\x62id\x02\x66method\x68Test.Add\x66params\x82\x01\x02"))
		got := p.receiveAll()
		if len(got) != 2 || got[1] != frame("\xa2\x62id\x02\x66result\x03") {
			t.Errorf("CBOR: %q", got)
		}
	})
}

// A page gets no connection unless the server accepts a subprotocol that it names.
// What is accepted is wirecall's, exactly as it is called, or the application's own.
func TestWhichSubprotocolIsAccepted(t *testing.T) {
	for _, test := range []struct {
		own     []string // ServerOptions.Subprotocols
		offered []string
		want    string
	}{
		{nil, nil, ""},
		{nil, []string{"bearer", "s3cret"}, "bearer"},
		{nil, []string{"bearer", jsonProtocol}, jsonProtocol},
		{nil, []string{jsonProtocol, cborProtocol}, jsonProtocol},
		{nil, []string{cborProtocol, jsonProtocol}, cborProtocol},
		{nil, []string{"WIRECALL.V1.JSON"}, ""},
		{nil, []string{"Wirecall.v1.json", jsonProtocol}, jsonProtocol},
		{nil, []string{"wirecall.v2.json", "mine"}, "mine"},
		{nil, []string{strings.Repeat("x", 1<<15)}, ""},
		{[]string{"a", "b"}, []string{"x", "b", "a"}, "b"},
		{[]string{"a"}, []string{"x", "A"}, ""},
		{[]string{}, []string{"x"}, ""},
	} {
		t.Run(fmt.Sprintf("%q of %.50q", test.own, test.offered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := rpc.NewServer(&rpc.ServerOptions{Subprotocols: test.own, Codecs: []codec.Codec{cbor.Codec}})
				ws, _, err := websocket.Dial(t.Context(), "ws://test/", &websocket.DialOptions{HTTPClient: serveInMemory(t, srv), Subprotocols: test.offered})
				if err != nil {
					t.Fatal(err)
				}
				defer ws.CloseNow()
				if got := ws.Subprotocol(); got != test.want {
					t.Fatalf("%.50q was accepted, want %q", got, test.want)
				}
				if strings.HasPrefix(test.want, "wirecall.") {
					return
				}
				ws.Write(t.Context(), websocket.MessageText, []byte(`{"jsonrpc":"2.0","id":"x","method":"nope"}`))
				if _, got, err := ws.Read(t.Context()); err != nil || !strings.HasPrefix(string(got), `{"jsonrpc":"2.0","id":"x","error":{"code":-32601,`) {
					t.Errorf("a plain call was answered %s, %v", got, err)
				}
			})
		})
	}
}

// TestConversationsOverWebSocket replays what was written for lines over a
// WebSocket, as text, and in CBOR where it can be said in that.
func TestConversationsOverWebSocket(t *testing.T) {
	for _, file := range []string{"calls", "cancel", "client-streams", "control", "credit", "errors", "goaway", "limits",
		"nodes", "notifications", "peer", "redirect", "session", "session-client", "streams", "streams-up", "plain-calls", "plain-batch", "plain-subscriptions", "plain-shutdown"} {
		for _, c := range readConversations(t, "testdata/"+file+".txt") {
			if c.stopsReading() {
				continue // how much fits between the two is another matter here
			}
			t.Run(file+"/"+c.name+"/json", func(t *testing.T) {
				c.over = jsonProtocol
				synctest.Test(t, c.replay)
			})
			if c.inCBOR() {
				t.Run(file+"/"+c.name+"/cbor", func(t *testing.T) {
					c.over = cborProtocol
					synctest.Test(t, c.replay)
				})
			}
		}
	}
}

// aboutLines are the conversations that have no meaning where messages are not lines.
var aboutLines = map[string]bool{
	"errors/too large to take":            true,
	"notifications-end/credit over a cut": true, // sends many lines as one
	"plain-corners/a line without end":    true,
	"plain-half-close/wirecall":           true,
}

// TestConversationsOverContentLength replays what was written for lines with a header
// before each message.
func TestConversationsOverContentLength(t *testing.T) {
	for _, file := range []string{"auth", "calls", "cancel", "client", "client-streams", "control", "credit", "errors", "goaway", "hello", "limits",
		"notifications", "notifications-end", "peer", "session", "session-client", "streams", "streams-up", "plain-calls", "plain-batch", "plain-corners",
		"plain-half-close", "plain-limits", "plain-notifications", "plain-subscriptions", "plain-shutdown"} {
		for _, c := range readConversations(t, "testdata/"+file+".txt") {
			if aboutLines[file+"/"+c.name] {
				continue
			}
			t.Run(file+"/"+c.name, func(t *testing.T) {
				c.framing = rpc.ContentLength
				synctest.Test(t, c.replay)
			})
		}
	}
}

// wirecall reports whether the conversation is in wirecall mode.
func (c *conversation) wirecall() bool {
	return c.byClient() || strings.Contains(c.lines[0].Text, `"method":"rpc.`)
}

// stopsReading reports whether the peer stops reading.
func (c *conversation) stopsReading() bool {
	return slices.ContainsFunc(c.lines, func(l transcript.Line) bool { return l.Marker == "->deaf" })
}

// inCBOR reports whether the conversation means the same in CBOR: no text of
// encoding/json's, and no count of bytes.
func (c *conversation) inCBOR() bool {
	if !c.wirecall() || c.limits.BufferedBytes > 0 || c.limits.MessageBytes > 0 || c.limits.WindowBytes > 0 {
		return false
	}
	for _, l := range c.lines {
		if strings.Contains(l.Text, "json:") || strings.Contains(l.Text, "bytes") || len(l.Text) > 10000 {
			return false
		}
		if l.Marker == "->" && (!json.Valid([]byte(l.Text)) || strings.Contains(l.Text, "Test.Bomb")) {
			return false
		}
	}
	return true
}

// frame makes a frame of a line.
func (c *conversation) frame(line []byte) (websocket.MessageType, []byte) {
	if c.over != cborProtocol {
		return websocket.MessageText, line
	}
	m := parsed(line)
	delete(m, "jsonrpc")
	msg, err := cbor.Codec.Append(nil, m)
	if err != nil {
		panic(err)
	}
	return websocket.MessageBinary, wire.CBOR.AppendToFrame(nil, msg, true)
}

// messages makes lines of a frame.
func (c *conversation) messages(frame []byte) (lines [][]byte) {
	form := wire.JSON
	if c.over == cborProtocol {
		form = wire.CBOR
	}
	for msg, err := range form.Split(frame) {
		if err != nil {
			return append(lines, []byte(err.Error()))
		}
		if form == wire.CBOR {
			var m map[string]any
			if err := cbor.Codec.Decode(msg, &m); err != nil {
				return append(lines, []byte(err.Error()))
			}
			m["jsonrpc"] = "2.0"
			msg, _ = json.Marshal(m)
		}
		lines = append(lines, msg)
	}
	return lines
}

// canonical is a line with its members sorted, for comparison with what was
// made of CBOR.
func canonical(line string) string {
	b, err := json.Marshal(parsed([]byte(line)))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// parsed is a line of JSON with its integers.
func parsed(line []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		panic(fmt.Sprintf("%s: %v", line, err))
	}
	return integers(m).(map[string]any)
}

func integers(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			panic(err)
		}
		return n
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = integers(v[k])
		}
	}
	return v
}
