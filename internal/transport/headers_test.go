package transport_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/wirecall/wirecall/internal/transport"
)

// readAll returns the frames of a byte stream and the error that ended it.
func readAll(in io.Reader, f transport.Framing, maxFrame int) (frames []string, err error) {
	t := transport.NewFramed(onlyReads{in}, f, transport.Options{MaxFrame: maxFrame})
	for {
		frame, err := t.ReadFrame()
		if err != nil {
			return frames, err
		}
		frames = append(frames, string(frame))
	}
}

// framed returns a frame behind its header part.
func framed(content string) string {
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(content), content)
}

func TestHeaders(t *testing.T) {
	long := strings.Repeat("x", 9000) // over a bufio.Reader's size
	for name, test := range map[string]struct{ in, want string }{
		"nothing":           {"", "EOF"},
		"one":               {framed("{}"), "{}|EOF"},
		"two":               {framed("{}") + framed("[]"), "{}|[]|EOF"},
		"line feeds within": {framed("{\n}\n"), "{\n}\n|EOF"},
		"empty":             {framed("") + framed("{}"), "|{}|EOF"},
		"long":              {framed(long) + framed("{}"), long + "|{}|EOF"},
		"largest":           {framed(strings.Repeat("x", 10_000)), strings.Repeat("x", 10_000) + "|EOF"},
		"any case":          {"content-length:2\r\n\r\n{}", "{}|EOF"},
		"type first":        {"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", "{}|EOF"},
		"type last":         {"Content-Length: 2\r\nContent-Type: application/json; charset=utf8\r\n\r\n{}", "{}|EOF"},
		"type alone":        {"Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}", "{}|EOF"},
		"other fields":      {"X-Trace: a: b\r\nContent-Length: 2\r\nX-Trace:\r\n\r\n{}", "{}|EOF"},

		"too long":           {framed(strings.Repeat("x", 10_001)), "a message of 10001 bytes is over the limit of 10000"},
		"over 64 bits":       {"Content-Length: 99999999999999999999\r\n\r\n", "a message of 9223372036854775807 bytes is over the limit of 10000"},
		"negative":           {"Content-Length: -1\r\n\r\n", `Content-Length is "-1": want a number of bytes`},
		"signed":             {"Content-Length: +2\r\n\r\n{}", `Content-Length is "+2": want a number of bytes`},
		"no number":          {"Content-Length: 0x2\r\n\r\n{}", `Content-Length is "0x2": want a number of bytes`},
		"no value":           {"Content-Length:\r\n\r\n{}", `Content-Length is "": want a number of bytes`},
		"no length":          {"Content-Type: application/json\r\n\r\n{}", "a header has no Content-Length"},
		"no fields":          {"\r\n{}", "a header has no Content-Length"},
		"twice":              {"Content-Length: 2\r\nContent-length: 2\r\n\r\n{}", "a header has Content-Length twice"},
		"type twice":         {"Content-Type: a/b\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n{}", "a header has Content-Type twice"},
		"other charset":      {"Content-Length: 2\r\nContent-Type: a/b; charset=latin1\r\n\r\n{}", `the charset is "latin1": want utf-8`},
		"malformed type":     {"Content-Length: 2\r\nContent-Type: ;\r\n\r\n{}", `Content-Type is ";": want a media type`},
		"LF":                 {"Content-Length: 2\n\n{}", "a header line ends in LF: want CR LF"},
		"LF at the end":      {"Content-Length: 2\r\n\n{}", "a header line ends in LF: want CR LF"},
		"no colon":           {"Content-Length 2\r\n\r\n{}", `a header line is "Content-Length 2": want a name and a colon`},
		"space before colon": {"Content-Length : 2\r\n\r\n{}", `a header line is "Content-Length : 2": want a name and a colon`},
		"no header":          {"{}\r\n\r\n", `a header line is "{}": want a name and a colon`},
		"length too short":   {"Content-Length: 6\r\n\r\n{\"id\":1}\r\n\r\n", `{"id":|a header line is "1}": want a name and a colon`},
		"length too long":    {"Content-Length: 50\r\n\r\n{}", "the stream ends after 2 of 50 bytes of content: unexpected EOF"},
		"long, cut":          {"Content-Length: 9000\r\n\r\n" + long[1:], "the stream ends after 8999 of 9000 bytes of content: unexpected EOF"},
		"cut in a header":    {framed("{}") + "Content-Le", "{}|the stream ends within a header: unexpected EOF"},
		"cut behind a field": {"Content-Length: 2\r\n", "the stream ends within a header: unexpected EOF"},
		"cut at the content": {"Content-Length: 2\r\n\r\n", "the stream ends after 0 of 2 bytes of content: unexpected EOF"},
		"endless line":       {"X-Trace: " + long, "a header is over 4096 bytes"},
		"endless header":     {strings.Repeat("X-Trace: 1\r\n", 400), "a header is over 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			for how, in := range map[string]io.Reader{"": strings.NewReader(test.in), ", byte by byte": iotest.OneByteReader(strings.NewReader(test.in))} {
				frames, err := readAll(in, transport.Headers, 10_000)
				if got := strings.Join(append(frames, err.Error()), "|"); got != test.want {
					t.Errorf("got %.200q, want %.200q%s", got, test.want, how)
				}
			}
		})
	}
}

// A frame that the byte stream does not let arrive in full is no frame, whatever it ends
// with.
func TestHeadersBroken(t *testing.T) {
	broken := errors.New("connection reset")
	for _, in := range []string{"Content-Length: 50\r\n\r\n{}", framed(strings.Repeat("x", 9000))[:8000], "Content-Length: 2\r\n\r\n", "Content-Le", ""} {
		f := transport.NewFramed(onlyReads{io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken))}, transport.Headers, transport.Options{MaxFrame: 10_000})
		if frame, err := f.ReadFrame(); frame != nil || err != broken {
			t.Errorf("%.40q: %.40q, %v", in, frame, err)
		}
	}
}

// A framing is detected once, by the first byte that is no white space.
func TestDetect(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "EOF",
		" \r\n\t":                      "EOF",
		"{}\n[]\n":                     "{}|[]|EOF",
		"\n\n {}\n":                    "{}|EOF",
		"x\n":                          "x|EOF",
		"{}\n" + framed("{}"):          "{}|Content-Length: 2|EOF",
		framed("{}") + framed("[]"):    "{}|[]|EOF",
		"content-length: 2\r\n\r\n{}":  "{}|EOF",
		"\r\n" + framed("{}"):          "{}|EOF",
		framed("{}") + "{}\r\n\r\n{}":  "{}|a header line is \"{}\": want a name and a colon",
		"Connection reset by peer\r\n": "a header line is \"Connection reset by peer\": want a name and a colon",
	} {
		frames, err := readAll(strings.NewReader(in), transport.Detect, 100)
		if errors.Is(err, io.ErrUnexpectedEOF) { // the last line lacks its end
			err = io.EOF
		}
		if got := strings.Join(append(frames, err.Error()), "|"); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// What is written has the framing that has been detected.
func TestWriteFrame(t *testing.T) {
	for in, want := range map[string]string{"{}\n": "[]\n", framed("{}"): framed("[]")} {
		var out strings.Builder
		f := transport.NewFramed(readsAndWrites{strings.NewReader(in), &out}, transport.Detect, transport.Options{MaxFrame: 100, Stall: 1 << 40})
		if _, err := f.ReadFrame(); err != nil {
			t.Fatal(err)
		}
		f.WriteFrame([]byte("[]"))
		if f.Flush(true); out.String() != want {
			t.Errorf("wrote %q, want %q", out.String(), want)
		}
	}
}

type readsAndWrites struct {
	io.Reader
	io.Writer
}

func (readsAndWrites) Close() error { return nil }

// Whatever arrives, frames are within the limit, those that were written are read as
// they were, and how the bytes are cut does not matter.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{framed("{}"), framed("{}") + framed("[1]"), "Content-Type: a/b; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",
		"Content-Length: -1\r\n\r\n", "Content-Length: 2\n\n{}", "Content-Length: 9\r\n\r\n{}", "content-length:2\r\nX: y\r\n\r\n{}", "{}\n", "\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 5000
		frames, err := readAll(strings.NewReader(string(in)), transport.Headers, limit)
		again, errAgain := readAll(iotest.OneByteReader(strings.NewReader(string(in))), transport.Headers, limit)
		if fmt.Sprint(frames, err) != fmt.Sprint(again, errAgain) {
			t.Errorf("at once: %q, %v; byte by byte: %q, %v", frames, err, again, errAgain)
		}
		var written strings.Builder
		for _, frame := range frames {
			if len(frame) > limit {
				t.Errorf("a frame of %d bytes", len(frame))
			}
			written.WriteString(framed(frame))
		}
		read, err := readAll(strings.NewReader(written.String()), transport.Detect, limit)
		if err != io.EOF || fmt.Sprintf("%q", read) != fmt.Sprintf("%q", frames) {
			t.Errorf("wrote %q, read %q, %v", frames, read, err)
		}
	})
}
