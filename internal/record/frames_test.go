package record

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
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
