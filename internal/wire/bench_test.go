package wire

import (
	"strings"
	"testing"
)

var formats = map[string]Format{"json": JSON, "cbor": CBOR}

func BenchmarkDecode(b *testing.B) {
	for name, f := range formats {
		for what, msg := range map[string][]byte{"request": request(f), "response": response(f), "items64": items(f, 64)} {
			b.Run(name+"/"+what, func(b *testing.B) { benchmarkDecode(b, f, msg) })
		}
	}
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 200)
	b.Run("json/text9k", func(b *testing.B) { benchmarkDecode(b, JSON, textRequest(text)) })
	b.Run("json/unicode9k", func(b *testing.B) { benchmarkDecode(b, JSON, textRequest(strings.ReplaceAll(text, "o", "ö"))) })
}

func textRequest(text string) []byte {
	msg := JSON.AppendRequest(nil, &Head{ID: []byte("1"), Method: "m", Body: true})
	msg = append(JSON.AppendString(append(msg, '['), text), ']')
	return JSON.AppendTail(msg)
}

func benchmarkDecode(b *testing.B, f Format, msg []byte) {
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	m := Message{Streams: make([]uint64, 0, MaxStreams)}
	for b.Loop() {
		if err := f.Decode(msg, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkArray64(b *testing.B) {
	for name, f := range formats {
		b.Run(name, func(b *testing.B) {
			var m Message
			if err := f.Decode(items(f, 64), &m); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(m.Params)))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for part := range f.Array(m.Params) {
					for range f.Array(part) {
						n++
					}
				}
				if n != 64 {
					b.Fatal(n)
				}
			}
		})
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	for name, f := range formats {
		b.Run(name, func(b *testing.B) {
			id, body := f.AppendID(nil, 42), body(f)
			h := Head{ID: id, Method: "Room.Post", Timeout: 1500, Body: true}
			var msg []byte
			b.ReportAllocs()
			for b.Loop() {
				msg = f.AppendRequest(msg[:0], &h)
				msg = f.AppendTail(append(msg, body...))
			}
		})
	}
}
