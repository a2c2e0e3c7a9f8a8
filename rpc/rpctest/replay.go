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

// Replay holds the conversations of a file with a server that has the given services.
// A line that begins with "-> " is sent to the server, as JSON without line feeds; "<- "
// is the line that the server sends next, exactly, and lines with "<* " behind each
// other may come in any order. ".. 2s" waits, which takes no time in a bubble of
// testing/synctest. A line "-- name" begins another conversation, over another connection
// to another server, with the same services. All other lines are prose. A conversation
// that does not begin with rpc.hello is plain JSON-RPC.
//
// A line that does not come within ten seconds fails the test, and so does one that
// comes before it is wanted. The language is that of the transcripts of package rpc,
// in its testdata, as far as it is about servers, and sessions of one socket.
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

// waitForLine is how long a line may take to come.
const waitForLine = 10 * time.Second

// A replay is a file that is being replayed.
type replay struct {
	tb       testing.TB
	file     string
	at       int // line
	services []rpc.Service

	conn     net.Conn // nil between conversations
	lines    chan string
	served   chan struct{}
	want     []string // lines of the file that have not come
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

// received takes the lines that are wanted.
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

// end ends a conversation: nothing more may come.
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
