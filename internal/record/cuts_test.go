package record_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/internal/record"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A session that is cut again and again, on both sides of the recorder, while streams run
// both ways, has each message once in its file.
func TestManyCuts(t *testing.T) {
	before, behind := &rpctest.Network{}, &rpctest.Network{}
	tp := startTape(t, serveChat(t, behind.Listener), record.Options{})
	var d net.Dialer
	conn, err := rpc.Dial(t.Context(), tp.url, &rpc.DialOptions{Resume: true, Reconnect: rpc.Reconnect{MaxDelay: 10 * time.Millisecond}, NetDial: before.Dialer(d.DialContext)})
	if err != nil {
		t.Fatal(err)
	}
	room := chat.NewRoomClient(conn)
	const posts = 16
	messages, err := room.Messages(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		n := 0
		for m, err := range messages {
			if n++; err != nil || m.ID != int64(n) {
				t.Error(n, m, err)
				return
			}
			if n == posts {
				break
			}
		}
	})
	for i := range posts {
		cut := []*rpctest.Network{before, behind}[i/4%2]
		if i%4 == 1 {
			go cut.Cut()
		}
		if _, err := room.Post(t.Context(), "Ann", fmt.Sprint("text ", i)); err != nil {
			t.Fatal(i, err)
		}
	}
	reading.Wait()
	conn.Close()
	tp.await("wrote ")
	text := tp.text()
	if n := strings.Count(text, `-> {"jsonrpc":"2.0","id":1,"method":"rpc.resume"`); n < 2 {
		t.Errorf("%d resumes", n)
	}
	for i := range posts {
		if n := strings.Count(text, fmt.Sprintf(`"params":{"author":"Ann","text":"text %d"}`, i)); n != 1 {
			t.Errorf("post %d is there %d times", i, n)
		}
		if n := strings.Count(text, fmt.Sprintf(`"text":"text %d"`, i)); n != 3 { // the call, its answer and the item
			t.Errorf("text %d is there %d times", i, n)
		}
	}
	if t.Failed() {
		t.Log(text)
		return
	}
	synctest.Test(t, func(t *testing.T) {
		rpctest.Replay(t, tp.file(), chat.RoomService(chat.InMemory()))
	})
}
