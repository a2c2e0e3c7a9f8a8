package docs_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// checkToken is a ServerOptions.Authenticate.
func checkToken(ctx context.Context, token string) (context.Context, error) {
	user, expires, err := verify(token)
	if err != nil {
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "the token is not valid")
	}
	ctx, cancel := context.WithDeadline(context.WithValue(ctx, userKey{}, user), expires)
	context.AfterFunc(ctx, cancel) // free the timer when the connection ends
	return ctx, nil
}

// Online holds the connections of each user.
type Online struct {
	mu    sync.Mutex
	conns map[*rpc.Conn]string
}

func (o *Online) observer() *rpc.Observer {
	return &rpc.Observer{Conn: func(ctx context.Context, conn *rpc.Conn, _ *http.Request) func(error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.conns[conn] = userOf(ctx).Name
		return func(error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			delete(o.conns, conn)
		}
	}}
}

// of returns the connections of a user.
func (o *Online) of(name string) (conns []*rpc.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for conn, user := range o.conns {
		if user == name {
			conns = append(conns, conn)
		}
	}
	return conns
}

// withdraw sends a user away, who does not come back by itself.
func (o *Online) withdraw(name string) error {
	for _, conn := range o.of(name) {
		if err := conn.CloseWithReason("your access was withdrawn"); err != nil {
			return err
		}
	}
	return nil
}

// issued are the tokens that were given out.
var issued sync.Map // to grants

type grant struct {
	user    User
	expires time.Time
}

func verify(token string) (User, time.Time, error) {
	g, ok := issued.Load(token)
	if !ok || !time.Now().Before(g.(grant).expires) {
		return User{}, time.Time{}, errors.New("no such token")
	}
	return g.(grant).user, g.(grant).expires, nil
}

func TestTokensThatExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		online := &Online{conns: make(map[*rpc.Conn]string)}
		srv := rpc.NewServer(&rpc.ServerOptions{
			Authenticate: checkToken,
			Sessions: &rpc.SessionOptions{
				Principal: func(ctx context.Context) string { return userOf(ctx).Name },
			},
			ServeInterceptors: []rpc.Interceptor{allow},
			Observers:         []*rpc.Observer{online.observer()},
		})
		defer srv.Close()
		srv.Register(files.StoreService(&files.Memory{}))
		network := &rpctest.Network{}
		web := &http.Server{Handler: srv}
		go web.Serve(network.Listen())
		defer web.Close()

		// Each token is good for a minute. The second one has a further role.
		roles, fetched := []string{"reader"}, atomic.Int32{}
		fetch := func(context.Context) (string, error) {
			fetched.Add(1)
			issued.Store("token", grant{User{"ann", roles}, time.Now().Add(time.Minute)})
			roles = []string{"reader", "writer"}
			return "token", nil
		}
		options := &rpc.DialOptions{
			Resume: true,
			Token:  fetch, // func(context.Context) (string, error)
		}
		options.NetDial = network.Dial
		conn, err := rpc.Dial(t.Context(), "ws://any", options)
		if err != nil {
			t.Fatal(err)
		}
		store := files.NewStoreClient(conn)
		put := func() error {
			_, err := store.Put(t.Context(), "a", 0, rpc.Of([]byte("one")))
			return err
		}
		if err := put(); !errors.Is(err, rpc.CodePermissionDenied) {
			t.Error("with the first token:", err)
		}
		time.Sleep(90 * time.Second)
		if err := put(); err != nil || conn.State().Session != 1 || fetched.Load() < 2 {
			t.Errorf("with the second token: %v, in session %d, of %d tokens", err, conn.State().Session, fetched.Load())
		}
		if err := online.withdraw("ann"); err != nil {
			t.Error(err)
		}
		<-conn.Done()
		if e, ok := errors.AsType[*rpc.CloseError](conn.Err()); !ok || e.Reason != "your access was withdrawn" {
			t.Error(conn.Err())
		}
		synctest.Wait()
		if n := len(online.of("ann")); n != 0 {
			t.Errorf("%d connections after the end", n)
		}
	})
}

func TestRoles(t *testing.T) {
	srv := rpc.NewServer(nil)
	srv.Register(files.StoreService(&files.Memory{}))
	for m := range srv.Methods() {
		if m.Option("role") == "" {
			t.Errorf("%s has no role", m.Name)
		}
	}
}
