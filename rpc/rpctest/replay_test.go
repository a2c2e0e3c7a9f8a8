package rpctest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// counting has a method that returns how often it was called, and one that returns 0.
func counting() rpc.Service {
	n := 0
	result := func() (any, any) { return nil, new(int) }
	return rpc.Service{Methods: []*rpc.Method{
		{Name: "Count", New: result, Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			n++
			*c.Result.(*int) = n
			return nil
		}},
		{Name: "Zero", New: result, Serve: func(context.Context, any, *rpc.Call) error { return nil }},
	}}
}

func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { rpctest.Replay(t, "testdata/count.txt", counting()) })
}

// A judge is a test that may fail.
type judge struct {
	testing.TB
	said []string
}

func (j *judge) Helper() {}

func (j *judge) Errorf(format string, args ...any) {
	j.said = append(j.said, fmt.Sprintf(format, args...))
}

func (j *judge) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	runtime.Goexit()
}

// What differs from the file fails the test, at its line.
func TestReplayFails(t *testing.T) {
	const call = "Prose.\n" + `-> {"jsonrpc":"2.0","id":1,"method":"Count"}` + "\n"
	for want, text := range map[string]string{
		":3: the answer to call 1 differs from the file:\n\tresult: want 2, got 1\n":                       call + `<- {"jsonrpc":"2.0","id":1,"result":2}`,
		":2: nothing came, want the notification Done:\n":                                                  "Prose.\n" + `<- {"jsonrpc":"2.0","method":"Done"}`,
		":4: nothing came, want the answer to call 2:\n":                                                   call + `<- {"jsonrpc":"2.0","id":1,"result":1}` + "\n" + `<- {"jsonrpc":"2.0","id":2,"result":1}`,
		":3: unexpected here and further down is the answer to call 1:\n<- {\"jsonrpc\":\"2.0\",\"id\":1,": call + ".. 1s",
		":2: not JSON: ": "Prose.\n-> {",
		":3: lines with ->raw are for package rpc's own tests": call + "->raw x",
	} {
		file := filepath.Join(t.TempDir(), "file.txt")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			j := &judge{TB: t}
			rpctest.Replay(j, file, counting())
			if len(j.said) != 1 || !strings.HasPrefix(j.said[0], file+want) {
				t.Errorf("%q, want %q", j.said, want)
			}
		})
	}
}
