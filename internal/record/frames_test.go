package record

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// frame returns a frame of a WebSocket, masked if mask is not 0.
func frame(first byte, payload string, mask byte) []byte {
	b := []byte{first, byte(len(payload))}
	if mask != 0 {
		b[1] |= 0x80
		b = append(b, mask, mask, mask, mask)
	}
	for _, c := range []byte(payload) {
		b = append(b, c^mask)
	}
	return b
}

// However the bytes of frames are cut into pieces, the messages are the same; control
// frames may stand between the parts of a message.
func TestPieces(t *testing.T) {
	var bytes []byte
	for _, f := range [][]byte{
		frame(0x01, `{"id":1,`, 7), frame(0x89, "ping", 9), frame(0x00, `"method":`, 3), frame(0x80, `"A"}`, 200),
		frame(0x81, `{"id":2,"method":"B"}`, 0), frame(0x8a, "", 1), frame(0x88, "\x0f\xa0bye", 5), frame(0x81, `{"id":3,"method":"C"}`, 1),
	} {
		bytes = append(bytes, f...)
	}
	const want = heading + "-> {\"id\":1,\"method\":\"A\"}\n-> {\"id\":2,\"method\":\"B\"}\n# close code 4000\n->close\n"
	for size := 1; size <= len(bytes); size++ {
		file := filepath.Join(t.TempDir(), fmt.Sprint(size))
		r := New(Options{Target: new(url.URL), File: file, MaxMessage: 100, Log: func(string) {}})
		f := r.socket("").frames(client)
		for at := 0; at < len(bytes); at += size {
			f.feed(bytes[at:min(at+size, len(bytes))])
		}
		if err := r.finish(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Fatalf("in pieces of %d bytes: %s, %v", size, got, err)
		}
	}
}

// A server that takes longer than a test waits has the time in the file, and a session's
// file is complete when it can no longer be resumed.
func TestTimes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tape.txt")
	synctest.Test(t, func(t *testing.T) {
		var logs []string
		r := New(Options{Target: new(url.URL), File: file, MaxMessage: 1000, Log: func(line string) { logs = append(logs, line) }})
		s := r.socket("wirecall.v1.json")
		say := func(d direction, message string) { s.frame(d, []byte(message), len(message)) }
		say(client, `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"auth":"open-sesame"}}`)
		say(client, `{"jsonrpc":"2.0","id":2,"method":"Early"}`)
		say(server, `{"jsonrpc":"2.0","id":1,"result":{"v":1,"session":"name.secret","window":60000,"replay":1}}`)
		time.Sleep(time.Hour)
		say(server, `{"jsonrpc":"2.0","id":2,"result":"open-sesame"}`)
		time.Sleep(time.Hour)
		say(client, `{"jsonrpc":"2.0","id":3,"method":"rpc.auth","params":{"auth":"open-sesame-2"}}`)
		say(server, `{"jsonrpc":"2.0","id":3,"result":{"expires":1}}`)
		say(client, `{"jsonrpc":"2.0","id":4,"method":"rpc.discover"}`)
		say(server, `{"jsonrpc":"2.0","id":4,"result":{"openrpc":"1.3.2"}}`)
		s.end(server, 0)
		time.Sleep(time.Minute)
		if r.socket(""); len(logs) != 1 {
			t.Errorf("within the window: %q", logs)
		}
		time.Sleep(time.Nanosecond)
		if r.socket(""); len(logs) != 2 || logs[1] != "wrote "+file {
			t.Errorf("behind the window: %q", logs)
		}
	})
	const want = heading + `-> {"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1}}
<- {"jsonrpc":"2.0","id":1,"result":{"v":1,"replay":1,"window":60000}}
-> {"jsonrpc":"2.0","id":2,"method":"Early"}
.. 1h0m0s
<- {"jsonrpc":"2.0","id":2,"result":"«secret1:any»"}
<-cut
`
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}
