package wire

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// split collects what a frame splits into; a fault is shown as its code.
func split(f Format, frame string) []string {
	var got []string
	for msg, err := range f.Split([]byte(frame)) {
		if fault, ok := errors.AsType[*Fault](err); ok && fault.Code == ParseError {
			got = append(got, "fault")
			continue
		}
		got = append(got, string(msg))
	}
	return got
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		f     Format
		frame string
		want  []string
	}{
		{JSON, "a", []string{"a"}},
		{JSON, "a\nbc\nd", []string{"a", "bc", "d"}},
		{JSON, "", []string{"fault"}},
		{JSON, "\n", []string{"fault"}},
		{JSON, "\na", []string{"fault"}},
		{JSON, "a\n\nb", []string{"a", "fault"}},
		{JSON, "a\n", []string{"a", "fault"}},
		{CBOR, "\x41a", []string{"a"}},
		{CBOR, "\x41a\x42bc\x58\x01d", []string{"a", "bc", "d"}},
		{CBOR, "", []string{"fault"}},
		{CBOR, "\x40", []string{"fault"}},
		{CBOR, "\x41a\x40", []string{"a", "fault"}},
		{CBOR, "\x41a\x42b", []string{"a", "fault"}},
		{CBOR, "\x41a\x58", []string{"a", "fault"}},
		{CBOR, "\x41a\x61b", []string{"a", "fault"}},
		{CBOR, "\x41a\x00", []string{"a", "fault"}},
		{CBOR, "\x5f\x41a\xff", []string{"fault"}},
		{CBOR, "\x5b\x80\x00\x00\x00\x00\x00\x00\x00", []string{"fault"}},
		{CBOR, "\x5b\xff\xff\xff\xff\xff\xff\xff\xff", []string{"fault"}},
	} {
		if got := split(test.f, test.frame); !slices.Equal(got, test.want) {
			t.Errorf("format %d, %q: got %q, want %q", test.f, test.frame, got, test.want)
		}
	}
}

func TestSplitStops(t *testing.T) {
	for f, frame := range map[Format]string{JSON: "a\nb\n", CBOR: "\x41a\x41b\x00"} {
		for msg := range f.Split([]byte(frame)) {
			if string(msg) == "b" {
				t.Errorf("format %d: went on", f)
			}
			break
		}
	}
}

func TestFramesComeApartAgain(t *testing.T) {
	var msgs []string
	for _, n := range []int{1, 23, 24, 255, 256, 65535, 65536} {
		msgs = append(msgs, strings.Repeat("x", n))
	}
	for _, f := range []Format{JSON, CBOR} {
		var frame []byte
		for i, msg := range msgs {
			before := len(frame)
			frame = f.AppendToFrame(frame, []byte(msg), i == 0)
			if added := len(frame) - before; added > f.FrameSize(len(msg)) {
				t.Errorf("format %d: %d bytes became %d, at most %d expected", f, len(msg), added, f.FrameSize(len(msg)))
			}
		}
		if !slices.Equal(split(f, string(frame)), msgs) {
			t.Errorf("format %d: frame did not come apart", f)
		}
		if bytes.HasSuffix(frame, []byte("\n")) {
			t.Errorf("format %d: line feed at the end", f)
		}
	}
}

// A frame that is made in the buffer of its message is what AppendToFrame and
// AppendItems make.
func TestFrameInPlace(t *testing.T) {
	for _, f := range []Format{JSON, CBOR} {
		for _, n := range []int{1, 23, 24, 255, 256, 65535, 65536} {
			msg := bytes.Repeat([]byte{'1'}, n)
			got := f.Frame(append(make([]byte, f.FrameRoom()), msg...), f.FrameRoom())
			if want := f.AppendToFrame(nil, msg, true); !bytes.Equal(got, want) {
				t.Errorf("%d: a frame of %d bytes begins with %x, want %x", f, n, got[:min(len(got), 10)], want[:min(len(want), 10)])
			}
			_, got = f.ItemFrame(append(make([]byte, ItemRoom), msg...), math.MaxUint64)
			want := f.AppendToFrame(nil, f.AppendItems(nil, math.MaxUint64, 1, msg), true)
			if !bytes.Equal(got, want) {
				t.Errorf("%d: a frame of an item of %d bytes is\n%.100q, want\n%.100q", f, n, got, want)
			}
		}
	}
}
