package transport_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wirecall/wirecall/internal/transport"
)

// onlyReads is a byte stream that ends after what it reads.
type onlyReads struct{ io.Reader }

func (onlyReads) Write(p []byte) (int, error) { return len(p), nil }
func (onlyReads) Close() error                { return nil }

// Frames are lines without the space around them. The last may lack its end.
func TestLines(t *testing.T) {
	long := strings.Repeat("x", 9000) // over a bufio.Reader's size
	for name, test := range map[string]struct{ in, want string }{
		"one":          {"a\n", "a|EOF"},
		"CRLF":         {"a\r\nb\r\n", "a|b|EOF"},
		"empty":        {"\n \n\r\na\n\n", "a|EOF"},
		"nothing":      {"", "EOF"},
		"space":        {"a\n  ", "a|EOF"},
		"not ended":    {"a\nb", "a|b unexpected EOF|EOF"},
		"long":         {long + "\n\nb\n", long + "|b|EOF"},
		"largest":      {strings.Repeat("x", 10_000) + "\n", strings.Repeat("x", 10_000) + "|EOF"},
		"too long":     {"a\n" + strings.Repeat("x", 10_001) + "\n", "a|a line is over the limit of a message"},
		"long space":   {strings.Repeat(" ", 9000) + "\nb\n", "b|EOF"},
		"line by line": {"a\n" + long + "\nb\n", "a|" + long + "|b|EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			l := transport.NewFramed(onlyReads{strings.NewReader(test.in)}, transport.Lines, transport.Options{MaxFrame: 10_000})
			var got []string
			for ended := false; !ended; {
				frame, err := l.ReadFrame()
				switch {
				case err == nil:
					got = append(got, string(frame))
				case frame != nil:
					got = append(got, fmt.Sprintf("%s %v", frame, err))
				default:
					got, ended = append(got, err.Error()), true
				}
			}
			if got := strings.Join(got, "|"); got != test.want {
				t.Errorf("got %.200q, want %.200q", got, test.want)
			}
		})
	}
}

// A meter is a TCP connection with a Write of its own.
type meter struct {
	*net.TCPConn
	written atomic.Int64
}

func (m *meter) Write(b []byte) (int, error) {
	m.written.Add(int64(len(b)))
	return m.TCPConn.Write(b)
}

// What wraps a socket sees all that is written to it.
func TestWrappedSocketIsNotBypassed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sock, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{TCPConn: sock.(*net.TCPConn)}
	l := transport.NewFramed(m, transport.Lines, transport.Options{Stall: 1 << 40})
	defer l.Close()
	if err := l.WriteFrame([]byte("frame")); err != nil {
		t.Fatal(err)
	}
	if m.written.Load() != 0 || !l.Pending() {
		t.Error("a frame is written before it is flushed")
	}
	if done, err := l.Flush(true); !done || err != nil || m.written.Load() != 6 {
		t.Errorf("Flush: %v, %v; %d bytes were written through the wrapper, want 6", done, err, m.written.Load())
	}
}
