package rpctest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// Replay replays the conversations of a file against a server that has the given
// services. A line that begins with "-> " is sent to the server, as JSON without line
// feeds. A line that begins with "<- " is the next line that the server must send,
// exactly; consecutive lines that begin with "<* " may arrive in any order. ".. 2s"
// waits, which takes no time in a bubble of testing/synctest. A line "-- name" begins
// another conversation, over another connection to another server with the same
// services. All other lines are comments. A conversation that does not begin with
// rpc.hello is plain JSON-RPC.
//
// A line that does not arrive within ten seconds fails the test, and so does a line
// that arrives unexpectedly. The language is that of the transcripts in package rpc's
// testdata, limited to servers and to sessions with one socket.
func Replay(tb testing.TB, file string, services ...rpc.Service) {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatalf("rpctest: %v", err)
	}
	r := &replay{tb: tb, file: file, services: services}
	defer func() { r.end() }()
	for i, line := range strings.Split(string(text), "\n") {
		r.at = i + 1
		marker, rest, _ := strings.Cut(line, " ")
		switch marker {
		case "--":
			r.end()
		case "->":
			r.begin()
			r.received()
			fmt.Fprintln(r.conn, rest)
		case "<-":
			r.received()
			r.want = []string{rest}
		case "<*":
			if !r.anyOrder {
				r.received()
			}
			r.want, r.anyOrder = append(r.want, rest), true
		case "..":
			r.received()
			r.wait(rest)
		}
	}
}

// maxLine is the size of the largest line that a server may send.
const maxLine = 16 << 20

// waitForLine is how long the next line may take to arrive.
const waitForLine = 10 * time.Second

// A replay is the state of Replay.
type replay struct {
	tb       testing.TB
	file     string
	at       int // the line number
	services []rpc.Service

	conn     net.Conn // nil between conversations
	lines    chan string
	served   chan struct{}
	want     []string // expected lines that have not arrived
	anyOrder bool
}

// begin connects to a server, unless a conversation has begun.
func (r *replay) begin() {
	if r.conn != nil {
		return
	}
	srv := new(rpc.Server)
	srv.Register(r.services...)
	near, far := net.Pipe()
	r.conn, r.lines, r.served = near, make(chan string), make(chan struct{})
	go func() {
		defer close(r.served)
		srv.ServeConn(context.Background(), far)
	}()
	go func() {
		defer close(r.lines)
		scan := bufio.NewScanner(near)
		scan.Buffer(nil, maxLine)
		for scan.Scan() {
			r.lines <- scan.Text()
		}
	}()
}

// received waits for the lines that are expected.
func (r *replay) received() {
	r.tb.Helper()
	for len(r.want) > 0 {
		var line string
		ok := false
		if r.conn != nil {
			select {
			case line, ok = <-r.lines:
			case <-time.After(waitForLine):
			}
		}
		i := slices.Index(r.want, line)
		switch {
		case ok && i >= 0:
		case ok:
			r.tb.Errorf("%s:%d: before this line came:\n<- %s\nwant:\n<- %s", r.file, r.at, line, r.want[0])
			i = 0
		default:
			r.tb.Errorf("%s:%d: before this line nothing came, want:\n<- %s", r.file, r.at, r.want[0])
			i = 0
		}
		r.want = slices.Delete(r.want, i, i+1)
	}
	r.anyOrder = false
}

func (r *replay) wait(text string) {
	r.tb.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		r.tb.Errorf("%s:%d: %v", r.file, r.at, err)
	}
	time.Sleep(d)
}

// end ends a conversation. No further line may arrive.
func (r *replay) end() {
	r.tb.Helper()
	r.received()
	if r.conn == nil {
		return
	}
	r.conn.Close()
	for line := range r.lines {
		r.tb.Errorf("%s:%d: unexpected:\n<- %s", r.file, r.at, line)
	}
	<-r.served
	r.conn = nil
}
