package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

type tokenKey struct{}

type tokenFunc = func(context.Context) (string, error)

// tokens accepts those that are not called bad, and makes them the principal of the
// connection, for an hour or as long as they say.
func tokens(ctx context.Context, token string) (context.Context, error) {
	switch {
	case token == "":
		return nil, errors.New("a secret reason")
	case strings.HasPrefix(token, "bad"):
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "%s has expired", token)
	case token == "slow":
		time.Sleep(5 * time.Second)
	case token == "banned":
		return nil, rpc.Errorf(rpc.CodePermissionDenied, "not you")
	}
	ctx = context.WithValue(ctx, tokenKey{}, token)
	if _, lasts, ok := strings.Cut(token, " for "); ok {
		d, _ := time.ParseDuration(lasts)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		context.AfterFunc(ctx, cancel)
	}
	return ctx, nil
}

// whoami returns the token that its connection has been authenticated with, now and
// after so many seconds.
func whoami() rpc.Service {
	return method("Test.Who", func() (any, any) { return new([]int), new([]string) }, func(ctx context.Context, c *rpc.Call) error {
		who := func() string { s, _ := ctx.Value(tokenKey{}).(string); return s }
		before := who()
		if p := *c.Params.(*[]int); len(p) > 0 {
			time.Sleep(time.Duration(p[0]) * time.Second)
		}
		*c.Result.(*[]string) = []string{before, who()}
		return nil
	})
}

func who(ctx context.Context, caller rpc.Caller, seconds ...int) (was []string, err error) {
	err = caller.Call(ctx, &rpc.Call{Method: to("Test.Who"), Params: &seconds, Result: &was})
	return was, err
}

// inTurn returns one token after the other, and the last again and again.
func inTurn(list ...string) tokenFunc {
	var n atomic.Int64
	return func(context.Context) (string, error) { return list[min(int(n.Add(1)), len(list))-1], nil }
}

// A client is who its token says. One that is not accepted is asked for once more, and
// then the connection has failed with the server's reason.
func TestAuthenticate(t *testing.T) {
	fails := func(context.Context) (string, error) { return "", errors.New("no key") }
	for name, test := range map[string]struct {
		token func() tokenFunc
		want  string
		code  rpc.Code
		says  string
	}{
		"accepted":        {func() tokenFunc { return inTurn("ann") }, "ann", 0, ""},
		"the second time": {func() tokenFunc { return inTurn("bad1", "bob") }, "bob", 0, ""},
		"never":           {func() tokenFunc { return inTurn("bad1", "bad2", "cid") }, "", rpc.CodeUnauthenticated, "bad2 has expired"},
		"denied":          {func() tokenFunc { return inTurn("banned", "dan") }, "", rpc.CodePermissionDenied, "not you"},
		"none":            {func() tokenFunc { return nil }, "", rpc.CodeUnauthenticated, "the credentials are not accepted"},
		"broken":          {func() tokenFunc { return fails }, "", rpc.CodeUnavailable, "no key"},
		"too long":        {func() tokenFunc { return inTurn(strings.Repeat("x", 16<<10+1)) }, "", rpc.CodeUnavailable, "a token of 16385 bytes: want 16384 at most"},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, scheme string) {
				srv := server(&rpc.ServerOptions{Authenticate: tokens}, whoami())
				network := new(rpctest.Network)
				ln := network.Listen()
				if scheme == "ws" {
					go http.Serve(ln, srv)
				} else {
					go srv.Serve(t.Context(), ln)
				}
				defer srv.Close()
				defer ln.Close()
				conn, err := rpc.Dial(t.Context(), scheme+"://server", &rpc.DialOptions{NetDial: network.Dial, Token: test.token()})
				if test.code != 0 {
					if rpc.CodeOf(err) != test.code || !strings.HasSuffix(err.Error(), test.says) {
						t.Errorf("%v, want %v: %s", err, test.code, test.says)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if was, err := who(t.Context(), conn); err != nil || was[0] != test.want {
					t.Errorf("%v, %v", was, err)
				}
			})
		})
	}
}

// Credentials that expire are renewed on the connection: calls that start later have the
// new ones, and what runs keeps its own.
func TestCredentialsAreRenewed(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, &rpc.ServerOptions{Authenticate: tokens}, &rpc.DialOptions{Token: inTurn("first for 10s", "second for 10s", "third")}, whoami())
		running := make(chan []string)
		go func() {
			was, err := who(t.Context(), b, 25)
			if err != nil {
				t.Error(err)
			}
			running <- was
		}()
		for _, want := range []string{"first for 10s", "second for 10s", "third"} {
			if was, err := who(t.Context(), b); err != nil || was[0] != want {
				t.Errorf("%q, %v, want %s", was, err, want)
			}
			time.Sleep(9 * time.Second)
		}
		if was := <-running; !slices.Equal(was, []string{"first for 10s", "first for 10s"}) {
			t.Errorf("what runs has %q", was)
		}
		if st := b.State(); st.Session != 1 {
			t.Errorf("it is session %d", st.Session)
		}
	})
}

// Credentials that expire without new ones cut the connection off. It comes back with
// others, and its session goes on.
func TestCredentialsExpire(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, &rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Authenticate: tokens},
			&rpc.DialOptions{Resume: true, Token: inTurn("first for 10s", "bad1", "bad2", "second")}, whoami())
		running := make(chan []string)
		go func() {
			was, err := who(t.Context(), b, 20)
			if err != nil {
				t.Error(err)
			}
			running <- was
		}()
		time.Sleep(9 * time.Second)
		if was, err := who(t.Context(), b); err != nil || was[0] != "first for 10s" {
			t.Errorf("after a renewal that was refused: %q, %v", was, err)
		}
		time.Sleep(6 * time.Second)
		if was, err := who(t.Context(), b); err != nil || was[0] != "second" {
			t.Errorf("later: %q, %v", was, err)
		}
		if was := <-running; !slices.Equal(was, []string{"first for 10s", "first for 10s"}) {
			t.Errorf("what runs has %q", was)
		}
		if st := b.State(); st.Session != 1 {
			t.Errorf("it is session %d", st.Session)
		}
	})
}

// Without sessions the client begins another.
func TestCredentialsExpireWithoutSessions(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, &rpc.ServerOptions{Authenticate: tokens}, &rpc.DialOptions{Token: inTurn("first for 10s", "bad1", "bad2", "second")}, whoami())
		time.Sleep(15 * time.Second)
		if was, err := who(t.Context(), b); err != nil || was[0] != "second" {
			t.Errorf("%q, %v", was, err)
		}
		if st := b.State(); st.Session != 2 {
			t.Errorf("it is session %d", st.Session)
		}
	})
}

// A token that is being fetched when the credentials expire comes with the next
// handshake; one that never comes holds nothing up.
func TestCredentialsExpireWhileTheyAreFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		token := func(ctx context.Context) (string, error) {
			if n.Add(1) == 2 {
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
			return "ann for 10s", nil
		}
		b := breakable(t, "ws", &rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Authenticate: tokens}, &rpc.DialOptions{Resume: true, Token: token}, whoami())
		time.Sleep(12 * time.Second)
		if was, err := who(t.Context(), b); err != nil || was[0] != "ann for 10s" {
			t.Errorf("%q, %v", was, err)
		}
		if st := b.State(); st.Session != 1 || n.Load() != 3 {
			t.Errorf("it is session %d, by token %d", st.Session, n.Load())
		}
	})
}

// A panic in a function of the options fails what it was called for, and nothing else.
func TestPanicInOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		third := func() {
			if calls.Add(1) == 3 {
				panic("no idea")
			}
		}
		b := breakable(t, "ws", &rpc.ServerOptions{Authenticate: tokens}, &rpc.DialOptions{
			Logger:     slog.New(slog.DiscardHandler),
			Token:      func(context.Context) (string, error) { third(); return "ann", nil },
			HeaderFunc: func(context.Context) (http.Header, error) { third(); return nil, nil },
		}, whoami())
		for range 2 { // the third call is that of HeaderFunc in the second handshake
			b.network.Cut()
			time.Sleep(time.Minute)
			if was, err := who(t.Context(), b); err != nil || was[0] != "ann" {
				t.Errorf("%q, %v", was, err)
			}
		}
		calls.Store(1) // now that of Token
		b.network.Cut()
		time.Sleep(time.Minute)
		if was, err := who(t.Context(), b); err != nil || was[0] != "ann" || calls.Load() < 4 {
			t.Errorf("%q, %v, after %d calls", was, err, calls.Load())
		}
		calls.Store(2)
		if _, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{NetDial: b.network.Dial, Logger: slog.New(slog.DiscardHandler), Token: func(context.Context) (string, error) { third(); return "", nil }}); err == nil || !strings.HasSuffix(err.Error(), "panic in Token") {
			t.Error(err)
		}
	})
}

// A token that cannot be had at once is asked for again in time, also while the peer
// accepts no more calls.
func TestRenewalTriesAgain(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		var n atomic.Int32
		token := func(context.Context) (string, error) {
			if i := n.Add(1); i > 1 && i < 5 {
				return "", errors.New("no network")
			}
			return fmt.Sprintf("token %d for 600s", n.Load()), nil
		}
		b := breakable(t, scheme, &rpc.ServerOptions{Authenticate: tokens, Limits: rpc.Limits{Calls: 1}}, &rpc.DialOptions{Token: token}, whoami())
		running := make(chan []string)
		go func() {
			was, err := who(t.Context(), b, 1000)
			if err != nil {
				t.Error(err)
			}
			running <- was
		}()
		if was := <-running; was[0] != "token 1 for 600s" {
			t.Errorf("what runs has %q", was)
		}
		if was, err := who(t.Context(), b); err != nil || was[0] != "token 5 for 600s" {
			t.Errorf("later: %q, %v", was, err)
		}
		if st := b.State(); st.Session != 1 {
			t.Errorf("it is session %d", st.Session)
		}
	})
}

// A connection never changes hands: somebody else's token does not renew it.
func TestRenewalByAnotherPrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		principal := func(ctx context.Context) string {
			s, _ := ctx.Value(tokenKey{}).(string)
			name, _, _ := strings.Cut(s, " ")
			return name
		}
		b := breakable(t, "tcp", &rpc.ServerOptions{Sessions: &rpc.SessionOptions{Principal: principal}, Authenticate: tokens},
			&rpc.DialOptions{Resume: true, Token: inTurn("ann for 10s", "bob")}, whoami())
		time.Sleep(9 * time.Second)
		if was, err := who(t.Context(), b); err != nil || was[0] != "ann for 10s" {
			t.Errorf("before the end: %q, %v", was, err)
		}
		time.Sleep(3 * time.Second)
		if was, err := who(t.Context(), b); err != nil || was[0] != "bob" {
			t.Errorf("after it: %q, %v", was, err)
		}
		if st := b.State(); st.Session != 2 {
			t.Errorf("bob has session %d", st.Session)
		}
	})
}

// A client whose credentials are refused twice stops: its calls fail with the reason, and
// it asks for others when it is told to reconnect.
func TestRefusedCredentials(t *testing.T) {
	overBoth(t, func(t *testing.T, scheme string) {
		b := breakable(t, scheme, &rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Authenticate: tokens},
			&rpc.DialOptions{Resume: true, Token: inTurn("first", "bad1", "bad2", "second")}, whoami())
		running := make(chan error)
		go func() {
			_, err := who(t.Context(), b, 3600)
			running <- err
		}()
		synctest.Wait()
		b.network.Cut()
		if err := <-running; rpc.CodeOf(err) != rpc.CodeSessionLost || !strings.HasSuffix(err.Error(), "bad2 has expired") {
			t.Errorf("what was running: %v", err)
		}
		time.Sleep(time.Hour) // it does not try again
		if st := b.State(); st.Phase != rpc.Refused || rpc.CodeOf(st.Cause) != rpc.CodeUnauthenticated || !st.Retry.IsZero() {
			t.Errorf("it is %+v", st)
		}
		if _, err := who(t.Context(), b); rpc.CodeOf(err) != rpc.CodeUnauthenticated || !strings.HasSuffix(err.Error(), "bad2 has expired") || !rpc.NotRun(err) {
			t.Errorf("a call: %v", err)
		}
		b.Reconnect()
		if was, err := who(t.Context(), b); err != nil || was[0] != "second" {
			t.Errorf("after Reconnect: %q, %v", was, err)
		}
		if st := b.State(); st.Phase != rpc.Connected || st.Session != 2 || b.Err() != nil {
			t.Errorf("it is %+v, %v", st, b.Err())
		}
	})
}

// Closing a connection that has stopped ends it.
func TestCloseRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breakable(t, "ws", &rpc.ServerOptions{Authenticate: tokens}, &rpc.DialOptions{Token: inTurn("first", "bad1", "bad2")}, whoami())
		b.network.Cut()
		time.Sleep(time.Hour)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		<-b.Done()
		if _, err := who(t.Context(), b); !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("a call: %v", err)
		}
	})
}

// A session is resumed only by its principal, whoever has authenticated.
func TestResumeByAnotherPrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		principal := func(ctx context.Context) string { s, _ := ctx.Value(tokenKey{}).(string); return s }
		b := breakable(t, "tcp", &rpc.ServerOptions{Sessions: &rpc.SessionOptions{Principal: principal}, Authenticate: tokens},
			&rpc.DialOptions{Resume: true, Token: inTurn("ann", "bob")}, whoami())
		b.network.Cut()
		synctest.Wait()
		if was, err := who(t.Context(), b); err != nil || was[0] != "bob" {
			t.Errorf("%q, %v", was, err)
		}
		if st := b.State(); st.Session != 2 {
			t.Errorf("bob has session %d", st.Session)
		}
	})
}

// POST and plain WebSockets pass Authenticate with their bearer tokens, and lines in
// plain mode without one.
func TestAuthenticateStrangers(t *testing.T) {
	srv := server(&rpc.ServerOptions{Authenticate: tokens}, whoami())
	ts := httptest.NewServer(srv)
	defer ts.Close()
	defer srv.Close()
	for token, want := range map[string]int{"": 401, "Bearer bad": 401, "Bearer banned": 403, "bearer ann": 200, "Basic ann": 401} {
		r := post(`{"jsonrpc":"2.0","id":1,"method":"Test.Who"}`)
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		if w.Code != want || w.Code == 200 && !strings.Contains(w.Body.String(), `["ann","ann"]`) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("POST with %q: %d %s", token, w.Code, w.Body)
		}
		if has := w.Header().Get("WWW-Authenticate") != ""; has != (want == 401) {
			t.Errorf("%q: a challenge: %v", token, has)
		}
		r, _ = http.NewRequest(http.MethodGet, ts.URL, nil)
		r.Header = http.Header{"Authorization": {token}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
		resp, err := ts.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want == 200 {
			want = 101
		}
		if resp.StatusCode != want {
			t.Errorf("a plain WebSocket with %q: %s", token, resp.Status)
		}
	}
	near, far := net.Pipe()
	go srv.ServeConn(t.Context(), far)
	p := newLinePeer(t, near)
	p.send(`{"jsonrpc":"2.0","id":1,"method":"Test.Who"}`)
	p.receive(`{"jsonrpc":"2.0","id":1,"error":{"code":-32014,"message":"the credentials are not accepted"}}`)
}

// Credentials that expire while a POST is served do not leave it without an answer.
func TestCredentialsExpireInPOST(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := post(`{"jsonrpc":"2.0","id":1,"method":"Test.Who","params":[20]}`)
		r.Header.Set("Authorization", "Bearer ann for 10s")
		w := httptest.NewRecorder()
		server(&rpc.ServerOptions{Authenticate: tokens}, whoami()).ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), `["ann for 10s","ann for 10s"]`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// A function makes the headers of each handshake, over those that stay.
func TestHeaderFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		network := new(rpctest.Network)
		ln := network.Listen()
		srv := server(nil, whoami())
		go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Header.Get("Authorization")+" "+r.Header.Get("X-Fixed"))
			srv.ServeHTTP(w, r)
		}))
		token := inTurn("one", "two")
		conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{NetDial: network.Dial, Header: http.Header{"X-Fixed": {"x"}, "Authorization": {"zero"}},
			HeaderFunc: func(ctx context.Context) (http.Header, error) {
				s, err := token(ctx)
				return http.Header{"Authorization": {s}}, err
			}})
		if err != nil {
			t.Fatal(err)
		}
		network.Cut()
		synctest.Wait()
		if _, err := who(t.Context(), conn); err != nil {
			t.Error(err)
		}
		if want := []string{"one x", "two x"}; !slices.Equal(seen, want) {
			t.Errorf("%q, want %q", seen, want)
		}
		conn.Close()
		srv.Close()
		ln.Close()
	})
}
