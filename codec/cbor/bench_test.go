package cbor_test

import (
	"testing"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
)

type message struct {
	ID     int64  `json:"id"`
	Author string `json:"author"`
	Text   string `json:"text"`
}

var sample = message{7, "gopher", "hello, world"}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []codec.Codec{codec.JSON, cbor.Codec} {
		b.Run(c.Name(), func(b *testing.B) {
			dst := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Append(dst, &sample); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []codec.Codec{codec.JSON, cbor.Codec} {
		b.Run(c.Name(), func(b *testing.B) {
			src, err := c.Append(nil, &sample)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				var got message
				if err := c.Decode(src, &got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
