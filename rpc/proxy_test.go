package rpc_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// proxy is an HTTP proxy that passes on nothing but tunnels, as many do.
type proxy struct {
	mu    sync.Mutex
	asked []string // method, target and Proxy-Authorization of each request
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		http.Error(w, "only tunnels", http.StatusMethodNotAllowed)
		return
	}
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	far, err := net.Dial("tcp", r.Host)
	if err != nil {
		return
	}
	defer far.Close()
	io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		io.Copy(far, near)
		far.Close()
	}()
	io.Copy(near, far)
}

func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// byProxy returns a client whose proxy is at the given address.
func byProxy(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		Proxy:           func(*http.Request) (*url.URL, error) { return url.Parse(address) },
	}}
}

// A WebSocket goes through an HTTP proxy in a tunnel, with TLS to the server and
// without, and over TLS to the proxy.
func TestDialThroughAProxy(t *testing.T) {
	plain, secure := serveHTTP(t, newInteropServer(t, nil)), httptest.NewTLSServer(newInteropServer(t, nil))
	t.Cleanup(secure.Close)
	for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		for _, ts := range []*httptest.Server{plain, secure} {
			p := &proxy{}
			ps := start(p)
			t.Cleanup(ps.Close)
			address := strings.Replace(ps.URL, "://", "://ann:s3cret@", 1)
			everything(t, dial(t, ts.URL, rpc.DialOptions{HTTPClient: byProxy(address)}))
			if want := "CONNECT " + ts.Listener.Addr().String() + " Basic YW5uOnMzY3JldA=="; !slices.Equal(p.requests(), []string{want}) {
				t.Errorf("%s through %s: the proxy was asked %q, want %q", ts.URL, ps.URL, p.requests(), want)
			}
		}
	}
}
