package rpc_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/wirecall/wirecall/rpc"
)

// raw connects to a node with a WebSocket of the test's own, and with headers.
func (n *testNode) raw(t *testing.T, header http.Header) *framePeer {
	t.Helper()
	p := n.connect(t, header)
	go p.read()
	return p
}

// connect is raw without a reader: p.read must follow.
func (n *testNode) connect(t *testing.T, header http.Header) *framePeer {
	t.Helper()
	tr := &http.Transport{DialContext: n.front.Dial}
	ws, _, err := websocket.Dial(t.Context(), "ws://lb/", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: tr}, HTTPHeader: header, Subprotocols: []string{jsonProtocol}})
	if err != nil {
		t.Fatal(err)
	}
	p := &framePeer{t: t, ws: ws, done: make(chan struct{})}
	t.Cleanup(func() { ws.CloseNow(); <-p.done })
	return p
}

// ended waits for the end of the socket and returns the error of reading from it.
func (p *framePeer) ended() error {
	<-p.done
	return p.err
}

// ask sends a request and returns the answer.
func (p *framePeer) ask(request string) string {
	p.t.Helper()
	p.send(websocket.MessageText, request)
	return strings.Join(p.receiveAll(), "\n")
}

const helloThatKeeps = `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":32,"streams":32,"message":65536,"replay":65536}}`

// openSession begins a session and returns its token.
func (p *framePeer) openSession() string {
	p.t.Helper()
	answer := p.ask(helloThatKeeps)
	m := regexp.MustCompile(`"session":"([^"]*)"`).FindStringSubmatch(answer)
	if m == nil {
		p.t.Fatalf("no session: %s", answer)
	}
	return m[1]
}

func resumeRequest(token string, attempt int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"rpc.resume","params":{"session":%q,"attempt":%d,"received":0}}`, token, attempt)
}

const notKnown = `{"jsonrpc":"2.0","id":1,"error":{"code":-32008,"message":"session lost: it is not known here"}}`

func as(who string) http.Header { return http.Header{"As": {who}} }

// byCaller has sessions of principals, whom a middleware knows.
func byCaller() *rpc.ServerOptions {
	return &rpc.ServerOptions{Sessions: &rpc.SessionOptions{Principal: principal}}
}

// byToken has sessions of principals who authenticate.
func byToken() *rpc.ServerOptions {
	return &rpc.ServerOptions{Authenticate: tokens, Sessions: &rpc.SessionOptions{Principal: func(ctx context.Context) string {
		token, _ := ctx.Value(tokenKey{}).(string)
		return token
	}}}
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// Whoever has the token of another principal's session is refused by every node, in the
// words for a session that does not exist, whatever headers it sends.
func TestStolenTokenAtAnotherNode(t *testing.T) {
	forged := http.Header{"As": {"bob"}, "Authorization": {"Bearer bob"}}
	for _, name := range []string{"Wirecall-Principal", "Wirecall-Remote", "wirecall-principal"} {
		forged[name] = []string{base64.StdEncoding.EncodeToString([]byte("ann"))}
	}
	for name, identify := range map[string]struct {
		opts     func() *rpc.ServerOptions
		ann, bob http.Header
	}{
		"by middleware":             {byCaller, as("ann"), as("bob")},
		"by middleware, forged":     {byCaller, as("ann"), forged},
		"by authentication":         {byToken, bearer("ann"), bearer("bob")},
		"by authentication, forged": {byToken, bearer("ann"), forged},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCluster(t, 3, identify.opts, services()...)
				ann := c.all[0].raw(t, identify.ann)
				token := ann.openSession()
				for i, n := range c.all {
					if got := n.raw(t, identify.bob).ask(resumeRequest(token, i+1)); got != notKnown {
						t.Errorf("%s answers bob: %s", n.name, got)
					}
				}
				if got := ann.ask(`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`); !strings.Contains(got, `"result":3`) {
					t.Errorf("ann, on her socket: %s", got)
				}
				for i, n := range c.all {
					if got := n.raw(t, identify.ann).ask(resumeRequest(token, i+1)); !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":1,"result":{"received":1}}`) {
						t.Errorf("%s answers ann: %s", n.name, got)
					}
				}
			})
		})
	}
}

// A secret, an attempt or an encoding that is wrong is refused by the owner, through
// every node, and the socket is then good for another session, of the node asked.
func TestForgedTokenAtAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 2, nil, services()...)
		ann := c.all[0].raw(t, nil)
		token := ann.openSession()
		for name, request := range map[string]string{
			"secret":  resumeRequest(token+"x", 1),
			"name":    resumeRequest(strings.Replace(token, "n1.", "n1.x", 1), 1),
			"attempt": resumeRequest(token, 0),
			"numbers": strings.Replace(resumeRequest(token, 1), `"received":0`, `"received":-1`, 1),
		} {
			thief := c.all[1].raw(t, nil)
			if got := thief.ask(request); got != notKnown {
				t.Errorf("%s: %s", name, got)
			}
			if got := thief.openSession(); !strings.HasPrefix(got, "n2.") {
				t.Errorf("%s: then hello begins %s", name, got)
			}
		}
		if got := ann.ask(`{"jsonrpc":"2.0","id":2,"method":"Test.Add","params":[1,2]}`); !strings.Contains(got, `"result":3`) {
			t.Errorf("ann, on her socket: %s", got)
		}
	})
}

// A client whose credentials the owner refuses is answered as by the owner, and may try
// others.
func TestCredentialsOfForwardedClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 2, byToken, services()...)
		withAuth := func(token string, attempt int, auth string) string {
			return strings.Replace(resumeRequest(token, attempt), `"received":0`, `"received":0,"auth":"`+auth+`"`, 1)
		}
		ann := c.all[0].raw(t, bearer("ann for 10s"))
		token := ann.openSession()
		p := c.all[1].raw(t, nil)
		if got := p.ask(withAuth(token, 1, "bad")); !strings.Contains(got, `"code":-32014`) {
			t.Errorf("refused credentials: %s", got)
		}
		if got := p.ask(withAuth(token, 2, "ann for 10s")); !strings.Contains(got, `"result":{"received":0}`) {
			t.Fatalf("accepted credentials: %s", got)
		}
		time.Sleep(7500 * time.Millisecond)
		if got := strings.Join(p.receiveAll(), "\n"); !strings.Contains(got, `"$/auth","params":[2500]`) {
			t.Errorf("before they expire: %s", got)
		}
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if err := p.ended(); websocket.CloseStatus(err) != -1 {
			t.Errorf("when they have expired, want a cut: %v", err)
		}
	})
}

// A client can have a node dial others a few times for each of its sockets, and no more.
func TestDialsForASocket(t *testing.T) {
	for name, fails := range map[string]error{"unreachable": errors.New("no link"), "refused": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCluster(t, 2, byToken, services()...)
				token := c.all[0].raw(t, bearer("ann")).openSession()
				var dials atomic.Int64
				count := func(context.Context) error { dials.Add(1); return fails }
				c.all[1].dialing.Store(&count)
				p := c.all[1].raw(t, bearer("bob"))
				for attempt := range 10 {
					if p.ws.Write(t.Context(), websocket.MessageText, []byte(resumeRequest(token, attempt+1))) != nil {
						break
					}
					synctest.Wait()
				}
				if err := p.ended(); websocket.CloseStatus(err) != 4500 {
					t.Errorf("the socket has ended with %v", err)
				}
				if n := dials.Load(); n < 1 || n > 3 {
					t.Errorf("%d dials", n)
				}
			})
		})
	}
}

// Nothing but rpc.resume is served on a link.
func TestLinksAreForResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 1, nil, services()...)
		link := func(subprotocols ...string) (*websocket.Conn, *http.Response, error) {
			tr := &http.Transport{DialContext: c.all[0].back.Dial}
			return websocket.Dial(t.Context(), "ws://n1/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}, Subprotocols: subprotocols})
		}
		if _, resp, err := link(); err == nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("plain JSON-RPC: %v", err)
		}
		ws, _, err := link(jsonProtocol)
		if err != nil {
			t.Fatal(err)
		}
		p := &framePeer{t: t, ws: ws, done: make(chan struct{})}
		go p.read()
		p.send(websocket.MessageText, helloThatKeeps)
		if got := p.closeStatus(); got != "4500 a link is for rpc.resume" {
			t.Errorf("hello: %s", got)
		}
		<-p.done
		if c.all[0].sessions() != 0 {
			t.Error("there is a session")
		}
	})
}

// No log has a token of a session or a client's credentials, whatever happens to a
// forwarded connection.
func TestSecretsOfForwardedClientsAreNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, 3, byToken, services()...)
		const secret = "secret-credentials"
		conn := forwarded(t, c, &rpc.DialOptions{Token: func(context.Context) (string, error) { return secret, nil }})
		ann := c.all[0].raw(t, bearer(secret))
		token := ann.openSession()
		c.all[1].raw(t, bearer(secret)).ask(resumeRequest(token+"x", 1))
		fails := func(context.Context) error { return fmt.Errorf("no link") }
		c.all[2].dialing.Store(&fails)
		c.all[2].raw(t, bearer(secret)).ask(resumeRequest(token, 2))
		c.cutLinks()
		synctest.Wait()
		await(t, conn, rpc.Connected)
		c.all[0].srv.Close()
		synctest.Wait()
		log := c.log.String()
		_, hidden, _ := strings.Cut(token, ".")
		for _, text := range []string{secret, hidden, hidden[strings.Index(hidden, ".")+1:], "Bearer"} {
			if strings.Contains(log, text) {
				t.Errorf("the log has %q:\n%s", text, log)
			}
		}
		if log == "" {
			t.Error("nothing was logged")
		}
	})
}
