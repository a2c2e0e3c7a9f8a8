package rpctest

import (
	"cmp"
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/transcript"
	"github.com/wirecall/wirecall/rpc"
)

// Replay replays the conversations of a file against a server that has the given
// services, as a client. The file is one that wirecall record wrote, or was written by
// hand:
//
//	What the chat answers.
//
//	-> {"jsonrpc":"2.0","id":1,"method":"Room.Post","params":["Ann","hello"]}
//	<- {"jsonrpc":"2.0","id":1,"result":{"id":1,"author":"Ann","text":"hello","time":"«:time»"}}
//
// A line that begins with "-> " is sent to the server. One that begins with "<- " must
// arrive before the next line is sent. Messages are compared as JSON, in order within each
// call and each stream, and in any order otherwise. «name» in a string stands for any word,
// the same one wherever the name is written again; «name:time» for a time of RFC 3339,
// «name:uuid» for a UUID, «name:any» for anything, and the name may be left out. ".. 2s"
// waits, which takes no time in a bubble of testing/synctest. "->cut" cuts the connection,
// "->dial" connects again. A line "-- name" begins another conversation, with another
// server that has the same services; prose must come before its lines. A line that begins
// with # is a comment. A conversation that does not begin with rpc.hello is plain JSON-RPC.
//
// What the runtime does by itself is not compared: the answer to rpc.hello, credit, acks
// and pings. What else differs from the file fails the test, and so does a message that
// does not arrive within ten seconds.
//
// The language is that of the transcripts in package rpc's testdata, without the lines
// that are about our programs and about broken connections.
func Replay(tb testing.TB, file string, services ...rpc.Service) {
	tb.Helper()
	for _, c := range conversations(tb, file) {
		srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
		srv.Register(services...)
		var served sync.WaitGroup
		dial := func() io.ReadWriteCloser {
			near, far := net.Pipe()
			served.Go(func() { srv.ServeConn(context.Background(), far) })
			return near
		}
		err := (&transcript.Player{Conversation: c, Dial: dial, Patience: waitForLine}).Play()
		srv.Close()
		served.Wait()
		if err != nil {
			tb.Errorf("%v", err)
		}
	}
}

// How long the next line of a server and of a client may take to arrive. A client may do
// other things before it calls; in a bubble the test of one that does not call ends at once.
const (
	waitForLine   = 10 * time.Second
	waitForClient = time.Hour
)

// ReplayServer returns a connection to a server that does what the one conversation of a
// file says: it waits for the requests that begin with "-> " and sends the lines that begin
// with "<- ". See Replay for the file; cuts, resumes and times in it are ignored, and a client may
// make calls that the file has one after the other in any order and at once. Nil options are
// the defaults.
//
// A request that the file does not have fails the test and ends the connection, and so does
// an hour without the request that comes next. At the end
// of the test the connection is closed, and it is an error if a line of the client has not
// arrived.
func ReplayServer(ctx context.Context, tb testing.TB, file string, opts *rpc.ConnOptions) *rpc.Conn {
	tb.Helper()
	all := conversations(tb, file)
	if len(all) != 1 {
		tb.Fatalf("%s has %d conversations, want one", file, len(all))
	}
	near, far := net.Pipe()
	played := make(chan error, 1)
	go func() {
		p := &transcript.Player{Conversation: all[0], Dial: func() io.ReadWriteCloser { return far }, Serve: true, Patience: waitForClient}
		played <- p.Play()
	}()
	conn, err := rpc.NewConn(ctx, near, opts)
	if err != nil {
		near.Close()
		tb.Fatalf("rpctest: %v", cmp.Or(<-played, err))
	}
	tb.Cleanup(func() {
		conn.Close()
		if err := <-played; err != nil {
			tb.Errorf("%v", err)
		}
	})
	return conn
}

func conversations(tb testing.TB, file string) []*transcript.Conversation {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatalf("rpctest: %v", err)
	}
	all, err := transcript.Parse(file, string(text))
	if err != nil {
		tb.Fatalf("rpctest: %v", err)
	}
	return all
}
