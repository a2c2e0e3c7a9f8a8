package record_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/internal/record"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A tape is a recorder that runs.
type tape struct {
	*testing.T
	url  string // in place of the server
	dir  string
	stop func() // ends the recorder, whose files are complete then
	logs chan string
}

// startTape records what passes between its URL and target.
func startTape(t *testing.T, target string, o record.Options) *tape {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Target, err = url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	logs := make(chan string, 100)
	o.File, o.Log = filepath.Join(dir, "tape.txt"), func(line string) { logs <- line }
	if o.MaxMessage == 0 {
		o.MaxMessage = 1 << 20
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- record.New(o).Serve(ctx, ln) }()
	tp := &tape{T: t, logs: logs, dir: dir, url: o.Target.Scheme + "://" + ln.Addr().String() + o.Target.Path}
	stopped := false
	tp.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(tp.stop)
	return tp
}

// await waits until the recorder logs a line that begins so.
func (tp *tape) await(line string) {
	for got := range tp.logs {
		if strings.HasPrefix(got, line) {
			return
		}
	}
}

func (tp *tape) file() string { return filepath.Join(tp.dir, "tape.txt") }

func (tp *tape) text() string {
	tp.Helper()
	b, err := os.ReadFile(tp.file())
	if err != nil {
		tp.Fatal(err)
	}
	return string(b)
}

// has checks that the text has the parts one after the other.
func (tp *tape) has(parts ...string) {
	tp.Helper()
	rest := tp.text()
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			tp.Errorf("not there, or too early: %s", part)
		}
		rest = after
	}
	if tp.Failed() {
		tp.Log(tp.text())
	}
}

const token = "open-sesame"

// serveChat serves a chat whose clients must have the token if they have any. wrap wraps its
// listener.
func serveChat(t *testing.T, wrap func(net.Listener) net.Listener) (url string) {
	t.Helper()
	srv := rpc.NewServer(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}, Sessions: &rpc.SessionOptions{},
		Authenticate: func(ctx context.Context, got string) (context.Context, error) {
			if got != "" && got != token {
				return nil, rpc.Errorf(rpc.CodeUnauthenticated, "not %s", token)
			}
			return ctx, nil
		}})
	srv.Register(chat.RoomService(chat.InMemory()))
	hs := httptest.NewUnstartedServer(srv)
	if wrap != nil {
		hs.Listener = wrap(hs.Listener)
	}
	hs.Start()
	t.Cleanup(func() {
		srv.Close()
		hs.Close()
	})
	return "ws" + strings.TrimPrefix(hs.URL, "http") + "/rpc"
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// visit is what a client does in the chat; cut cuts its connection.
func visit(t *testing.T, room chat.Room, cut func()) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := room.Post(t.Context(), "Ann", "hello")
	must(err)
	n, err := room.Import(t.Context(), rpc.Of(chat.Message{Author: "Bob", Text: "1", Time: noon}, chat.Message{Author: "Bob", Text: "2", Time: noon}))
	must(err)
	if n != 2 {
		t.Errorf("%d imported", n)
	}
	messages, err := room.Messages(t.Context(), 0)
	must(err)
	seen := 0
	for m, err := range messages {
		must(err)
		if seen++; m.Text == "2" {
			cut()
			_, err := room.Post(t.Context(), "Ann", "after the cut")
			must(err)
		}
		if m.Text == "after the cut" {
			break
		}
	}
	if seen != 4 {
		t.Errorf("%d messages", seen)
	}
	_, err = room.Post(t.Context(), "Ann", strings.Repeat("x", chat.MaxText+1))
	if e, ok := errors.AsType[*chat.TooLong](err); !ok || e.Max != chat.MaxText {
		t.Error(err)
	}
}

// A session of the real client, with a stream, an upload, a cut and a resume, is held
// against the service, a changed one, and the client.
func TestSession(t *testing.T) {
	for name, c := range map[string]codec.Codec{"json": codec.JSON, "cbor": cbor.Codec} {
		t.Run(name, func(t *testing.T) {
			tp := startTape(t, serveChat(t, nil), record.Options{})
			var d net.Dialer
			network := &rpctest.Network{}
			conn, err := rpc.Dial(t.Context(), tp.url+"?token="+token, &rpc.DialOptions{
				Resume: true, Reconnect: rpc.Reconnect{MaxDelay: 10 * time.Millisecond}, Codec: c, NetDial: network.Dialer(d.DialContext),
				Header: http.Header{"Authorization": {"Bearer " + token}, "Cookie": {"id=" + token}},
				Token:  func(context.Context) (string, error) { return token, nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			visit(t, chat.NewRoomClient(conn), func() { network.Cut() })
			conn.Close()
			tp.await("wrote ")
			tp.has(`-> {"jsonrpc":"2.0","id":1,"method":"rpc.hello"`, `"window":`, `"method":"Room.Post"`, `«time1:time»`, `"method":"Room.Import"`,
				`"method":"$/items"`, "->cut", "->dial", "rpc.resume", "after the cut", `"method":"$/cancel"`, "->close")
			if strings.Contains(tp.text(), token) {
				t.Error("the token was written")
			}
			replay(t, tp.file(), c)
		})
	}
}

// replay holds both sides against a file of visit.
func replay(t *testing.T, file string, c codec.Codec) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rpctest.Replay(t, file, chat.RoomService(chat.InMemory()))
	})
	synctest.Test(t, func(t *testing.T) {
		visit(t, chat.NewRoomClient(rpctest.ReplayServer(t.Context(), t, file, nil)), func() {})
	})
	synctest.Test(t, func(t *testing.T) {
		j := &judge{TB: t}
		rpctest.Replay(j, file, chat.RoomService(louder{chat.InMemory()}))
		if c != codec.JSON {
			return // the members stand in another order in the file
		}
		golden(t, strings.ReplaceAll(strings.Join(j.said, "\n"), filepath.Dir(file)+"/", ""))
	})
}

// golden compares text with a file: what a test says of a service that has changed.
func golden(t *testing.T, text string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", "changed.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if text+"\n" != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
}

// louder is a chat that has changed.
type louder struct{ chat.Room }

func (l louder) Post(ctx context.Context, author, text string) (chat.Message, error) {
	return l.Room.Post(ctx, author, text+"!")
}

// A judge is a test that may fail.
type judge struct {
	testing.TB
	said []string
}

func (j *judge) Helper() {}

func (j *judge) Errorf(format string, args ...any) {
	j.said = append(j.said, fmt.Sprintf(format, args...))
}
