package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// TestStrings puts each byte that matters at each place of strings of many lengths,
// because strings are scanned by 1, 8 and 32 bytes.
func TestStrings(t *testing.T) {
	for n := range 150 {
		for at := range n + 1 {
			before, after := strings.Repeat("a", at), strings.Repeat("b", n-at)
			for inside, want := range map[string]struct{ end, plain int }{
				"":       {n + 1, n},
				`\n`:     {n + 3, at},
				`\"`:     {n + 3, at},
				`\u00fc`: {n + 7, at},
				"ü":      {n + 3, at},
				"\xff":   {n + 2, at},
				`\x`:     {^at, at},
				`\u00g`:  {^at, at},
				"\n":     {^at, at},
			} {
				text := before + inside + after
				s := []byte(text + "\"\n")
				if end, plain := jsonscan.StringEnd(s, 0), jsonscan.Plain(s, 0); end != want.end || plain != want.plain {
					t.Fatalf("%q: got %d and %d, want %d and %d", s, end, plain, want.end, want.plain)
				}
				if end := jsonscan.StringEnd([]byte(text), 0); end >= 0 {
					t.Fatalf("%q has no end, got %d", text, end)
				}
			}
		}
	}
}

// TestNegativeIndexes checks that failures go through calls that are nested.
func TestNegativeIndexes(t *testing.T) {
	s := []byte(`"a":1`)
	for _, i := range []int{-1, ^3, jsonscan.TooDeep} {
		for name, got := range map[string]int{
			"Space": jsonscan.Space(s, i), "Value": jsonscan.Value(s, i, 1), "Word": jsonscan.Word(s, i, "a"), "Colon": jsonscan.Colon(s, i),
			"Number": jsonscan.Number(s, i), "Digits": jsonscan.Digits(s, i), "StringEnd": jsonscan.StringEnd(s, i),
		} {
			if got != i {
				t.Errorf("%s of index %d is %d", name, i, got)
			}
		}
		if jsonscan.At(s, i, s[0]) {
			t.Errorf("there is a byte at %d", i)
		}
	}
}

func TestLevels(t *testing.T) {
	for text, levels := range map[string]int{"1": 0, "[]": 1, "{}": 1, "[[1],2]": 2, `{"a":[{}]}`: 3} {
		if end := jsonscan.Whole([]byte(text), levels); end != len(text) {
			t.Errorf("%s: got %d with %d levels", text, end, levels)
		}
		if end := jsonscan.Whole([]byte(text), levels-1); levels > 0 && end != jsonscan.TooDeep {
			t.Errorf("%s: got %d with %d levels", text, end, levels-1)
		}
	}
}

// FuzzWhole compares what is well formed, and the text of a string, with
// encoding/json.
func FuzzWhole(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+7,true,false,null]}`, ` "a\ud83d\ude00\ud83d\"" `, "[01]", `{"a":}`, "\"\xff\"", `{"a" :1 , "b":[ ] }`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		const levels = 100
		end := jsonscan.Whole(s, levels)
		if end != jsonscan.TooDeep && (end >= 0) != json.Valid(s) {
			t.Fatalf("%q: got %d, but encoding/json says %v", s, end, json.Valid(s))
		}
		var text string
		if s = bytes.TrimSpace(s); end < 0 || s[0] != '"' || json.Unmarshal(s, &text) != nil || !utf8.Valid(s) {
			return
		}
		if got := jsonscan.Unescape(s[1 : len(s)-1]); string(got) != text {
			t.Fatalf("%q: got %q, want %q", s, got, text)
		}
	})
}

// FuzzAppendString compares strings with json.Marshal.
func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "plain", "<a href=\"x\">&amp;\u2028\u2029\\", "\b\f\n\r\t\x00\x7f", "\xff\xc3", strings.Repeat("long ", 30) + "ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := jsonscan.AppendString([]byte("["), s); string(got) != "["+string(want) {
			t.Fatalf("%q: got %s, want [%s", s, got, want)
		}
	})
}
