package jsongen_test

import (
	"encoding/json"
	"testing"

	"github.com/wirecall/wirecall/codec"
)

// The item of a stream and a small result, each in comparison to encoding/json.
// Others, measured in the same run, in ns and allocations:
//
//	                               generated  encoding/json  its v2  sonic (as encoding/json)
//	{"seq":…,"price":…,"symbol":…} append  46 0   208 1   239 0   149 2 (212 2)
//	                               decode  89 1   895 5   334 0   186 2 (224 3)
//	{"id":…,"name":…,"tags":[4]}   append  74 0   284 1   317 0   178 2 (263 2)
//	                               decode 262 6  1686 13  663 3   331 4 (460 9)
func BenchmarkItem(b *testing.B) {
	benchmark(b, &Item{123456, 101.25, "BTC-USD"})
}

func BenchmarkValue(b *testing.B) {
	benchmark(b, &Value{123456, "a name of some length", []string{"red", "green", "blue", "and a longer one"}})
}

func benchmark[T any](b *testing.B, v *T) {
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	for name, append := range map[string]func([]byte, any) ([]byte, error){"generated": codec.JSON.Append, "encodingjson": appendJSON} {
		b.Run("append/"+name, func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				if dst, err = append(dst[:0], v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, decode := range map[string]func([]byte, any) error{"generated": codec.JSON.Decode, "encodingjson": json.Unmarshal} {
		b.Run("decode/"+name, func(b *testing.B) {
			var zero T
			out := new(T)
			b.ReportAllocs()
			for b.Loop() {
				*out = zero
				if err := decode(text, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func appendJSON(dst []byte, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(dst, b...), err
}
