package cborscan_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/wirecall/wirecall/internal/cborscan"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestHeads appends integers in their shortest form and reads them again: RFC 8949,
// appendix A.
func TestHeads(t *testing.T) {
	for _, test := range []struct {
		n    int64
		want string
	}{
		{0, "00"}, {1, "01"}, {10, "0a"}, {23, "17"}, {24, "1818"}, {25, "1819"}, {100, "1864"}, {255, "18ff"},
		{256, "190100"}, {1000, "1903e8"}, {65535, "19ffff"}, {65536, "1a00010000"}, {1000000, "1a000f4240"},
		{1<<32 - 1, "1affffffff"}, {1 << 32, "1b0000000100000000"}, {1000000000000, "1b000000e8d4a51000"},
		{1<<63 - 1, "1b7fffffffffffffff"}, {-1, "20"}, {-10, "29"}, {-24, "37"}, {-25, "3818"}, {-100, "3863"},
		{-1000, "3903e7"}, {-1 << 63, "3b7fffffffffffffff"},
	} {
		raw := cborscan.AppendInt(nil, test.n)
		if got := hex.EncodeToString(raw); got != test.want {
			t.Errorf("%d: got %s, want %s", test.n, got, test.want)
		}
		major, arg, next := cborscan.Head(raw, 0)
		got := int64(arg)
		if major == cborscan.Negint {
			got = ^got
		}
		if got != test.n || next != len(raw) || cborscan.HeadSize(arg) != len(raw) {
			t.Errorf("%s: read as %d up to %d, HeadSize %d", test.want, got, next, cborscan.HeadSize(arg))
		}
		for cut := range raw {
			if _, _, next := cborscan.Head(raw[:cut], 0); next != ^0 {
				t.Errorf("%x, cut: got %d, want %d", raw[:cut], next, ^0)
			}
		}
	}
}

func TestWhole(t *testing.T) {
	for item, want := range map[string]int{
		"80":                 1,
		"8201820203":         5,
		"a161610f":           4,
		"c11a514b67b0":       6,
		"f97c00":             3,
		"f8ff":               2,
		"":                   ^0,
		"0000":               ^1,               // two items
		"1c":                 ^0,               // reserved
		"9fff":               ^0,               // an indefinite length
		"5f4100ff":           ^0,               // likewise
		"ff":                 ^0,               // the end of one
		"f81f":               ^0,               // a simple value in the wrong form
		"6161ff":             ^2,               // something behind
		"61ff":               ^0,               // not UTF-8
		"41ff":               2,                // bytes
		"4201":               ^0,               // a length beyond the end
		"5bffffffffffffffff": ^0,               // likewise
		"9bffffffffffffffff": ^0,               // likewise
		"bb7fffffffffffffff": ^0,               // likewise
		"8200":               ^0,               // likewise
		"820018":             ^2,               // an element that is cut
		"8181818100":         cborscan.TooDeep, // 4 levels
		"81c1a100c100":       cborscan.TooDeep, // tags are levels
		"818181":             ^2,               // an element that is missing
	} {
		if got := cborscan.Whole(unhex(t, item), 3); got != want {
			t.Errorf("%s: got %d, want %d", item, got, want)
		}
	}
}

func TestParts(t *testing.T) {
	var parts []string
	keep := func(raw []byte) bool {
		parts = append(parts, hex.EncodeToString(raw))
		return len(parts) < 2
	}
	cborscan.Elements(unhex(t, "830182020304"), 2, keep)
	if want := []string{"01", "820203"}; !slices.Equal(parts, want) {
		t.Errorf("got the elements %q, want %q and then no more", parts, want)
	}
	parts = nil
	end := cborscan.Members(unhex(t, "a3616101188002616202"), 2, func(name, value []byte) bool {
		parts = append(parts, string(name), hex.EncodeToString(value))
		return true
	})
	if want := []string{"a", "01", "", "02", "b", "02"}; !slices.Equal(parts, want) || end != 10 {
		t.Errorf("got the members %q up to %d, want %q up to 10", parts, end, want)
	}
}

func TestText(t *testing.T) {
	for _, test := range []struct{ in, want string }{{"", "60"}, {"ü", "62c3bc"}, {"a\xff", "6461efbfbd"}} {
		raw := cborscan.AppendText(nil, test.in)
		if got := hex.EncodeToString(raw); got != test.want {
			t.Errorf("%q: got %s, want %s", test.in, got, test.want)
		}
		if got := cborscan.Text(raw); !bytes.Equal(got, unhex(t, test.want)[1:]) {
			t.Errorf("%s: got %q", test.want, got)
		}
	}
	for _, other := range []string{"", "41ff", "6161ff", "62"} {
		if got := cborscan.Text(unhex(t, other)); got != nil {
			t.Errorf("%s is no text, got %q", other, got)
		}
	}
}
