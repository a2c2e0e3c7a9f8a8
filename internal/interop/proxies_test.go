//go:build proxies

package interop

import (
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A proxy is a program in front of servers, with a configuration of docs/proxies.md.
type proxy struct {
	name    string
	command []string
	around  string // the configuration, at %s
}

var proxies = []proxy{
	{"nginx", []string{"nginx", "-e", "stderr", "-g", "daemon off;", "-p", ".", "-c"}, "pid nginx.pid;\nevents {}\nhttp {\naccess_log off;\n%s\n}\n"},
	{"haproxy", []string{"haproxy", "-q", "-db", "-f"}, "%s\n"},
}

// start runs the proxy in front of two servers until the test is over, with a change of
// the configuration, and returns its address.
func (p proxy) start(t *testing.T, servers [2]*behind, change func(config string) string) (addr string) {
	t.Helper()
	addr = freeAddr(t)
	config := change(documented(t, p.name))
	for i, port := range []string{"8081", "8082"} {
		config = strings.ReplaceAll(config, "127.0.0.1:"+port, servers[i].addr)
	}
	config = strings.ReplaceAll(config, "127.0.0.1:8080", addr)
	config = strings.ReplaceAll(config, "listen 8080", "listen "+addr)
	runProxy(t, p.command, strings.Replace(p.around, "%s", config, 1))
	return addr
}

// unchanged is the configuration as the page has it.
func unchanged(config string) string { return config }

// shortTimeouts has timeouts of a second.
func shortTimeouts(config string) string {
	return regexp.MustCompile(`\b(60|90)s`).ReplaceAllString(config, "1s")
}

// noAffinity sends each connection to the next server.
func noAffinity(config string) string {
	config = regexp.MustCompile(`(?m)^ +(hash|cookie) .*\n| cookie \w+$`).ReplaceAllString(config, "")
	return strings.ReplaceAll(config, "leastconn", "roundrobin")
}

// The configurations of docs/proxies.md pass a WebSocket and a POST on, with the Host
// that a browser's page needs, and send a client that comes back to the server that
// has its session.
func TestProxies(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			throughProxy(t, p.start(t, [2]*behind{newBehind(t, 0), newBehind(t, 0)}, unchanged))
		})
	}
}

// A proxy does not cut a connection that is silent for longer than its timeouts, if those are
// longer than two thirds of the IdleTimeout. Else it does, and the session goes on over
// another connection.
func TestProxyTimeouts(t *testing.T) {
	for _, p := range proxies {
		for name, test := range map[string]struct {
			idle time.Duration
			cuts bool
		}{"pings": {900 * time.Millisecond, false}, "no pings": {time.Minute, true}} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				addr := p.start(t, [2]*behind{newBehind(t, test.idle), newBehind(t, test.idle)}, shortTimeouts)
				var dials atomic.Int64
				conn, err := dialProxy(t, addr, rpc.Limits{IdleTimeout: test.idle}, func(ctx context.Context, network, addr string) (net.Conn, error) {
					dials.Add(1)
					return (&net.Dialer{}).DialContext(ctx, network, addr)
				})
				if err != nil {
					t.Fatal(err)
				}
				before := dials.Load() // the proxy may not have listened at first
				sum, err := NewCalcClient(conn).Sum(t.Context(), func(yield func(int, error) bool) {
					_ = yield(1, nil)
					time.Sleep(4 * time.Second) // of the proxy, whose timeouts are of a second at least
					_ = yield(2, nil)
				})
				if sum != 3 || err != nil || conn.State().Session != 1 {
					t.Errorf("%d, %v, session %d", sum, err, conn.State().Session)
				}
				if cuts := dials.Load() > before; cuts != test.cuts {
					t.Errorf("connected %d times", dials.Load()-before+1)
				}
			})
		}
	}
}

// Without affinity a client finds its session at any of the servers, if those are nodes of
// a cluster.
func TestProxyWithoutAffinity(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			one, two := newPair(t)
			servers := [2]*behind{newNode(t, one), newNode(t, two)}
			network := &rpctest.Network{}
			conn, err := dialProxy(t, p.start(t, servers, noAffinity), rpc.Limits{}, network.Dialer((&net.Dialer{}).DialContext))
			if err != nil {
				t.Fatal(err)
			}
			calc := NewCalcClient(conn)
			for cuts := 0; cuts < 10 || one.links.Load()+two.links.Load() < 3; cuts++ {
				if n, err := calc.Add(t.Context(), cuts, 1); n != cuts+1 || err != nil || conn.State().Session != 1 {
					t.Fatalf("after %d cuts %d, %v, session %d", cuts, n, err, conn.State().Session)
				}
				network.Cut()
			}
			if servers[0].calls.Load() > 0 == (servers[1].calls.Load() > 0) {
				t.Errorf("the servers have run %d and %d calls", servers[0].calls.Load(), servers[1].calls.Load())
			}
		})
	}
}

// A pairNode is one of the two nodes of a cluster, which reach each other over TCP. It implements
// relay.Nodes.
type pairNode struct {
	name  string
	other *pairNode
	ln    net.Listener
	links atomic.Int64 // that were opened to it
}

func newPair(t *testing.T) (one, two *pairNode) {
	one, two = &pairNode{name: "one"}, &pairNode{name: "two"}
	one.other, two.other = two, one
	for _, n := range []*pairNode{one, two} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		n.ln = ln
	}
	return one, two
}

func (n *pairNode) Name() string      { return n.name }
func (n *pairNode) URL(string) string { return "" }

func (n *pairNode) Dial(ctx context.Context, node string) (net.Conn, error) {
	if node != n.other.name {
		return nil, relay.ErrGone
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", n.other.ln.Addr().String())
}

func (n *pairNode) Serve(f func(net.Conn)) {
	go func() {
		for {
			link, err := n.ln.Accept()
			if err != nil {
				return
			}
			n.links.Add(1)
			go f(link)
		}
	}()
}

// A client whose server shuts down goes on at the other, without a call that fails, though
// the proxy would send it back to the first.
func TestProxyDrain(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			servers := [2]*behind{newBehind(t, 0), newBehind(t, 0)}
			addr := p.start(t, servers, unchanged)
			conn, err := dialProxy(t, addr, rpc.Limits{}, (&net.Dialer{}).DialContext)
			if err != nil {
				t.Fatal(err)
			}
			calc := NewCalcClient(conn)
			add := func() {
				t.Helper()
				if n, err := calc.Add(t.Context(), 1, 2); n != 3 || err != nil {
					t.Fatalf("%d, %v", n, err)
				}
			}
			add()
			first, second := servers[0], servers[1]
			if second.calls.Load() > 0 {
				first, second = second, first
			}
			done := make(chan error, 1)
			go func() { done <- first.shutdown(t.Context()) }()
			for second.calls.Load() == 0 {
				add()
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			add()
		})
	}
}

// documented returns a configuration as the page has it.
func documented(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)\n```" + name + "\n(.*?)\n```\n").FindSubmatch(page)
	if m == nil {
		t.Fatal("no configuration of ", name)
	}
	return string(m[1])
}

// A behind is a server behind a proxy.
type behind struct {
	addr  string
	srv   *rpc.Server
	ready atomic.Bool
	calls atomic.Int64
}

// newBehind returns a server with an IdleTimeout, or the default of it.
func newBehind(t *testing.T, idle time.Duration) *behind {
	return serveBehind(t, rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Limits: rpc.Limits{IdleTimeout: idle}})
}

// newNode returns a server that is a node of a cluster.
func newNode(t *testing.T, nodes relay.Nodes) *behind {
	return serveBehind(t, rpc.ServerOptions{Sessions: &rpc.SessionOptions{Nodes: nodes}})
}

func serveBehind(t *testing.T, opts rpc.ServerOptions) *behind {
	b := &behind{}
	opts.ServeInterceptors = []rpc.Interceptor{b.count}
	b.srv = rpc.NewServer(&opts)
	b.srv.Register(files.StoreService(&files.Memory{}), CalcService(newBackend()))
	b.ready.Store(true)
	mux := http.NewServeMux()
	mux.Handle("/", b.srv)
	mux.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if !b.ready.Load() {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
		}
	})
	hs := httptest.NewServer(mux)
	t.Cleanup(hs.Close)
	t.Cleanup(func() { b.srv.Close() })
	b.addr = hs.Listener.Addr().String()
	return b
}

// count is an interceptor that counts calls.
func (b *behind) count(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
	b.calls.Add(1)
	return next(ctx, c)
}

// shutdown shuts the server down as docs/rolling-restarts.md does. Its address still
// answers.
func (b *behind) shutdown(ctx context.Context) error {
	b.ready.Store(false)
	return b.srv.Shutdown(ctx)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// runProxy runs a proxy until the test is over.
func runProxy(t *testing.T, command []string, config string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command[0], append(command[1:], file)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
}

// dialProxy connects through a proxy as a page does, with the cookies that it sets.
func dialProxy(t *testing.T, addr string, limits rpc.Limits, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (*rpc.Conn, error) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	conn, err := rpc.Dial(t.Context(), "ws://"+addr, &rpc.DialOptions{
		Resume:     true,
		Limits:     limits,
		Header:     http.Header{"Authorization": {"Bearer ann's"}, "Origin": {"http://" + addr}},
		HTTPClient: &http.Client{Jar: jar, Transport: &http.Transport{DialContext: dial}},
		Reconnect:  rpc.Reconnect{RetryFirst: true, MinDelay: 10 * time.Millisecond}, // until the proxy listens
	})
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

func throughProxy(t *testing.T, addr string) {
	network := &rpctest.Network{}
	conn, err := dialProxy(t, addr, rpc.Limits{}, network.Dialer((&net.Dialer{}).DialContext))
	if err != nil {
		t.Fatal(err)
	}
	store := files.NewStoreClient(conn)
	put := func(ctx context.Context) error {
		_, err := store.Put(ctx, "a", 0, rpc.Of(make([]byte, 40_000), make([]byte, 40_000)))
		return err
	}
	for range 3 {
		if err := put(t.Context()); err != nil {
			t.Fatal(err)
		}
		network.Cut()
	}
	if err := put(t.Context()); err != nil || conn.State().Session != 1 {
		t.Errorf("session %d, %v", conn.State().Session, err)
	}
	body := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"Store.Stat","params":{"name":"none"}}`)
	resp, err := http.Post("http://"+addr, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error("POST:", resp.Status)
	}
}
