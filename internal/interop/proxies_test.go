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
	"testing"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// The configurations of docs/proxies.md pass a WebSocket and a POST on, with the Host
// that a browser's page needs, and send a client that comes back to the server that
// has its session.
func TestProxies(t *testing.T) {
	for name, proxy := range map[string]struct {
		command []string
		around  string // the configuration, at %s
	}{
		"nginx":   {[]string{"nginx", "-e", "stderr", "-g", "daemon off;", "-p", ".", "-c"}, "pid nginx.pid;\nevents {}\nhttp {\naccess_log off;\n%s\n}\n"},
		"haproxy": {[]string{"haproxy", "-q", "-db", "-f"}, "%s\n"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := freeAddr(t)
			config := documented(t, name)
			for _, port := range []string{"8081", "8082"} {
				config = strings.ReplaceAll(config, "127.0.0.1:"+port, newFileServer(t))
			}
			config = strings.ReplaceAll(config, "127.0.0.1:8080", addr)
			config = strings.ReplaceAll(config, "listen 8080", "listen "+addr)
			start(t, proxy.command, strings.Replace(proxy.around, "%s", config, 1))
			throughProxy(t, addr)
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

func newFileServer(t *testing.T) (addr string) {
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
	srv.Register(files.StoreService(&files.Memory{}))
	mux := http.NewServeMux()
	mux.Handle("/", srv)
	mux.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	hs := httptest.NewServer(mux)
	t.Cleanup(hs.Close)
	t.Cleanup(func() { srv.Close() })
	return hs.Listener.Addr().String()
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

// start runs a proxy until the test is over.
func start(t *testing.T, command []string, config string) {
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

func throughProxy(t *testing.T, addr string) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	network := &rpctest.Network{}
	dial := network.Dialer((&net.Dialer{}).DialContext)
	conn, err := rpc.Dial(t.Context(), "ws://"+addr, &rpc.DialOptions{
		Resume:     true,
		Header:     http.Header{"Authorization": {"Bearer ann's"}, "Origin": {"http://" + addr}},
		HTTPClient: &http.Client{Jar: jar, Transport: &http.Transport{DialContext: dial}},
		Reconnect:  rpc.Reconnect{RetryFirst: true}, // until the proxy listens
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
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
