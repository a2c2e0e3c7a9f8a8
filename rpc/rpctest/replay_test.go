package rpctest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

// What differs from the file fails the test, at its line.
func TestReplayFails(t *testing.T) {
	const call = `-> {"jsonrpc":"2.0","id":1,"method":"Count"}` + "\n"
	for want, text := range map[string]string{
		":3: before this line came:\n<- {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\nwant:\n<- 2": call + "<- 2\n",
		":3: before this line nothing came, want:\n<- 2":                                          "\n<- 2\n",
		":5: before this line nothing came, want:\n<- 2":                                          call + `<- {"jsonrpc":"2.0","id":1,"result":1}` + "\n<- 2\nprose\n",
		":2: unexpected:\n<- {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}":                         call + ".. 1s",
	} {
		file := filepath.Join(t.TempDir(), "file.txt")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			j := &judge{TB: t}
			rpctest.Replay(j, file, counting())
			if len(j.said) != 1 || !strings.HasSuffix(j.said[0], want) {
				t.Errorf("%q, want %q", j.said, want)
			}
		})
	}
}
