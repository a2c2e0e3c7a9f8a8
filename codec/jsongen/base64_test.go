package jsongen_test

import (
	"encoding/json"
	"testing"

	"github.com/wirecall/wirecall/codec"
)

// Bytes of every length, and with everything that base64 is not in every place.
func TestBytes(t *testing.T) {
	var b []byte
	for i := range 70 {
		b = append(b, byte(i*37))
		text := sameAppend(t, &b)
		sameDecode(t, text, func() any { return new([]byte) })
		for at := range text {
			for _, c := range []string{"", "=", "-", "\\", "\"", "\n", `\n`, `\/`, `\u0041`, "\x80", "é", "=="} {
				broken := string(text[:at]) + c + string(text[at+1:])
				sameDecode(t, []byte(broken), func() any { return new([]byte) })
				sameDecode(t, []byte(string(text[:at])+c+string(text[at:])), func() any { return new([]byte) })
			}
			sameDecode(t, text[:at], func() any { return new([]byte) })
		}
	}
}

func BenchmarkBytes(b *testing.B) {
	v := make([]byte, 32<<10)
	for i := range v {
		v[i] = byte(i * i >> 3)
	}
	text, _ := json.Marshal(v)
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(v)))
		dst := make([]byte, 0, len(text))
		for b.Loop() {
			if _, err := codec.JSON.Append(dst, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(v)))
		for b.Loop() {
			var v []byte
			if err := codec.JSON.Decode(text, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
