package rpctest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/quickstart/deploy"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// cluster is a deploy.Cluster in which the deployment of a begins when that of b has begun.
type cluster struct {
	deploy.Cluster
	begun chan struct{}
}

func (c *cluster) Deploy(ctx context.Context, service, version string) (iter.Seq2[deploy.Step, error], error) {
	if service == "b" {
		defer close(c.begun)
	} else {
		select {
		case <-c.begun:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return rpc.Of(deploy.Step{Action: service, Version: version}), nil
}

func (c *cluster) Start(_ context.Context, orders iter.Seq2[deploy.Order, error]) (n int, err error) {
	for order, err := range orders {
		if err != nil {
			return n, err
		}
		n += order.Instances
	}
	return n, nil
}

func (c *cluster) Logs(_ context.Context, service string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for n := 0; yield(fmt.Sprint(service, n), nil); n++ {
		}
	}
}

func (c *cluster) Restart(ctx context.Context, service string) (string, error) {
	return deploy.NewOperatorClient(rpc.Peer(ctx)).Choose(ctx, service, []string{"all"})
}

func clusterService() rpc.Service {
	return deploy.ClusterService(&cluster{begun: make(chan struct{})})
}

const hello = `-> {"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":32,"streams":32,"message":65536}}
<- {"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":256,"streams":256,"message":1048576}}
`

// conversation writes a file.
func conversation(t *testing.T, lines string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(file, []byte("Prose.\n\n"+hello+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// items returns the lines with n items of a stream, each in a message of its own.
func items(arrow string, n int, item func(int) string) (lines string) {
	for i := range n {
		lines += fmt.Sprintf(`%s {"jsonrpc":"2.0","method":"$/items","params":[1,[%s]]}`+"\n", arrow, item(i))
	}
	return lines
}

// recorded are conversations with a cluster, which both sides are held to.
var recorded = map[string]string{
	"two streams": `
-> {"jsonrpc":"2.0","id":2,"method":"Cluster.Deploy","params":{"service":"a","version":"1"}}
-> {"jsonrpc":"2.0","id":3,"method":"Cluster.Deploy","params":{"service":"b","version":"1"}}
<- {"jsonrpc":"2.0","id":2,"streams":[1],"result":1}
<- {"jsonrpc":"2.0","id":3,"streams":[2],"result":2}
<- {"jsonrpc":"2.0","method":"$/items","params":[1,[{"action":"a","version":"«v»"}]]}
<- {"jsonrpc":"2.0","method":"$/end","params":[1]}
<- {"jsonrpc":"2.0","method":"$/items","params":[2,[{"action":"b","version":"«v»"}]]}
<- {"jsonrpc":"2.0","method":"$/end","params":[2]}
`,
	"an upload over the first credit": `
-> {"jsonrpc":"2.0","id":2,"method":"Cluster.Start","streams":[1],"params":{"orders":1}}
` + items("->", 1000, func(int) string { return `{"service":"web","instances":2}` }) + `
-> {"jsonrpc":"2.0","method":"$/end","params":[1]}
<- {"jsonrpc":"2.0","id":2,"result":2000}
`,
	"a stream over the first credit, which is left": `
-> {"jsonrpc":"2.0","id":2,"method":"Cluster.Logs","params":{"service":"web"}}
<- {"jsonrpc":"2.0","id":2,"streams":[1],"result":1}
` + items("<-", 1000, func(i int) string { return fmt.Sprintf(`"web%d"`, i) }) + `
-> {"jsonrpc":"2.0","method":"$/cancel","params":[1]}
<- {"jsonrpc":"2.0","method":"$/end","params":[1]}
`,
	"a call from the server, with the number of hello": `
-> {"jsonrpc":"2.0","id":2,"method":"Cluster.Restart","params":{"service":"web"}}
<- {"jsonrpc":"2.0","id":1,"method":"Operator.Choose","params":{"question":"web","options":["all"]}}
-> {"jsonrpc":"2.0","id":1,"result":"all"}
<- {"jsonrpc":"2.0","id":2,"result":"all"}
`,
	"a call from the server, with another number": `
-> {"jsonrpc":"2.0","id":2,"method":"Cluster.Restart","params":{"service":"web"}}
<- {"jsonrpc":"2.0","id":70,"method":"Operator.Choose","params":{"question":"web","options":["all"]}}
.. 1h
-> {"jsonrpc":"2.0","id":70,"result":"all"}
<- {"jsonrpc":"2.0","id":2,"result":"all"}
`,
}

// The order of what is independent, the numbers that the server chooses and its credit are
// not what a service is held to.
func TestReplayRecorded(t *testing.T) {
	for name, lines := range recorded {
		t.Run(name, func(t *testing.T) {
			file := conversation(t, lines)
			synctest.Test(t, func(t *testing.T) { rpctest.Replay(t, file, clusterService()) })
		})
	}
}

// What the file has before a line must have arrived before the line is sent.
func TestReplayStuck(t *testing.T) {
	file := conversation(t, `
-> {"jsonrpc":"2.0","id":2,"method":"Cluster.Deploy","params":{"service":"a","version":"1"}}
<- {"jsonrpc":"2.0","id":2,"streams":[1],"result":1}
-> {"jsonrpc":"2.0","id":3,"method":"Cluster.Deploy","params":{"service":"b","version":"1"}}
`)
	synctest.Test(t, func(t *testing.T) {
		j := &judge{TB: t}
		rpctest.Replay(j, file, clusterService())
		if len(j.said) != 1 || !strings.Contains(j.said[0], ":7: nothing came, want the answer to call 2:") {
			t.Errorf("%q", j.said)
		}
	})
}

// operator is a client of a cluster.
type operator struct{}

func (operator) Choose(_ context.Context, question string, options []string) (string, error) {
	return options[0], nil
}

// drain returns how many items a stream has, of which it reads at most n.
func drain[T any](t *testing.T, stream iter.Seq2[T, error], n int) (read int) {
	t.Helper()
	for _, err := range stream {
		if err != nil {
			t.Error(err)
		}
		if read++; read == n {
			break
		}
	}
	return read
}

// restart calls a method that calls back.
func restart(t *testing.T, c deploy.Cluster) {
	t.Helper()
	start := time.Now()
	if how, err := c.Restart(t.Context(), "web"); how != "all" || err != nil || time.Since(start) > time.Minute {
		t.Error(how, err, time.Since(start))
	}
}

// A client is held to the same conversations; its calls may come in another order.
func TestReplayServerRecorded(t *testing.T) {
	for name, use := range map[string]func(*testing.T, deploy.Cluster){
		"two streams": func(t *testing.T, c deploy.Cluster) {
			var both sync.WaitGroup
			for _, service := range []string{"b", "a"} {
				both.Go(func() {
					steps, err := c.Deploy(t.Context(), service, "1")
					if err != nil || drain(t, steps, 2) != 1 {
						t.Error(service, err)
					}
				})
				synctest.Wait()
			}
			both.Wait()
		},
		"an upload over the first credit": func(t *testing.T, c deploy.Cluster) {
			n, err := c.Start(t.Context(), func(yield func(deploy.Order, error) bool) {
				for i := 0; i < 1000 && yield(deploy.Order{Service: "web", Instances: 2}, nil); i++ {
				}
			})
			if n != 2000 || err != nil {
				t.Error(n, err)
			}
		},
		"a stream over the first credit, which is left": func(t *testing.T, c deploy.Cluster) {
			if n := drain(t, c.Logs(t.Context(), "web"), 1000); n != 1000 {
				t.Error(n)
			}
		},
		"a call from the server, with the number of hello": restart,
		"a call from the server, with another number":      restart,
	} {
		t.Run(name, func(t *testing.T) {
			file := conversation(t, recorded[name])
			synctest.Test(t, func(t *testing.T) {
				opts := &rpc.ConnOptions{Services: []rpc.Service{deploy.OperatorService(operator{})}}
				use(t, deploy.NewClusterClient(rpctest.ReplayServer(t.Context(), t, file, opts)))
			})
		})
	}
}

// What a client does beyond the file, and what it leaves out, fails the test.
func TestReplayServerFails(t *testing.T) {
	for want, use := range map[string]func(context.Context, deploy.Cluster) error{
		":6: the call of Cluster.Restart differs from the file:\n\tparams.service: want \"web\", got \"db\"": func(ctx context.Context, c deploy.Cluster) error {
			_, err := c.Restart(ctx, "db")
			return err
		},
		":6: unexpected here and further down is the call of Cluster.Status": func(ctx context.Context, c deploy.Cluster) error {
			_, err := c.Status(ctx, "web")
			return err
		},
		":6: nothing came, want the call of Cluster.Restart": func(ctx context.Context, c deploy.Cluster) error {
			time.Sleep(2 * time.Hour)
			return rpc.CodeUnavailable
		},
		":6: the client has not sent the call of Cluster.Restart": func(context.Context, deploy.Cluster) error { return rpc.CodeUnavailable },
	} {
		file := conversation(t, recorded["a call from the server, with another number"])
		synctest.Test(t, func(t *testing.T) {
			j := &judge{TB: t}
			t.Cleanup(func() {
				if len(j.said) != 1 || !strings.Contains(j.said[0], want) {
					t.Errorf("%q, want %q", j.said, want)
				}
			})
			c := deploy.NewClusterClient(rpctest.ReplayServer(t.Context(), j, file, nil))
			if err := use(t.Context(), c); err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("the call is answered: %v", err)
			}
		})
	}
}

// A file that cannot be played fails the test of a client at once.
func TestReplayServerRefuses(t *testing.T) {
	file := conversation(t, "->raw x\n")
	synctest.Test(t, func(t *testing.T) {
		j := &judge{TB: t}
		var failing sync.WaitGroup
		failing.Go(func() { rpctest.ReplayServer(t.Context(), j, file, nil) })
		failing.Wait()
		if len(j.said) != 1 || !strings.Contains(j.said[0], ":5: lines with ->raw are for package rpc's own tests") {
			t.Errorf("%q", j.said)
		}
	})
}
