package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/wirecall/wirecall/example/quickstart/deploy"
	"github.com/wirecall/wirecall/rpc"
)

// cluster is a deploy.Cluster of which the examples need a little.
type cluster struct{ deploy.Cluster }

func (cluster) Status(ctx context.Context, service string) (deploy.Status, error) {
	if service != "web" {
		return deploy.Status{}, &deploy.UnknownService{Service: service, Similar: "web"}
	}
	if tenant := rpc.Metadata(ctx)["tenant"]; tenant != "" {
		rpc.SetMetadata(ctx, "region", "eu-west")
		service = tenant + "/" + service
	}
	return deploy.Status{Service: service, Version: "v1.4", Instances: 3}, nil
}

func (cluster) Restart(ctx context.Context, service string) (string, error) {
	how, err := deploy.NewOperatorClient(rpc.Peer(ctx)).Choose(ctx, "how?", []string{"at once", "one by one"})
	return "restarted " + service + " " + how, err
}

type operator struct{}

func (operator) Choose(_ context.Context, _ string, options []string) (string, error) {
	return options[0], nil
}

func Example() {
	srv := rpc.NewServer(nil)
	srv.Register(deploy.ClusterService(cluster{}))
	hs := httptest.NewServer(srv) // any http.Server does
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	status, err := deploy.NewClusterClient(conn).Status(ctx, "web")
	fmt.Println(status.Version, status.Instances, err)
	// Output: v1.4 3 <nil>
}

// A Server is an http.Handler: a middleware in front of it authenticates, and
// what that puts into the request's context is in the handlers'.
func ExampleServer() {
	type userKey struct{}
	srv := rpc.NewServer(nil)
	srv.Register(rpc.Service{Methods: []*rpc.Method{{ // usually generated
		Name: "WhoAmI",
		New:  func() (any, any) { return nil, new(string) },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*string) = ctx.Value(userKey{}).(string)
			return nil
		},
	}}})
	authenticated := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		srv.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "ann")))
	})
	hs := httptest.NewServer(authenticated)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, &rpc.DialOptions{
		Header: http.Header{"Authorization": {"Bearer secret"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var user string
	err = conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "WhoAmI"}, Result: &user})
	fmt.Println(user, err)
	// Output: ann <nil>
}

// A client can serve, too: the server's handlers reach it through Peer.
func ExamplePeer() {
	srv := rpc.NewServer(nil)
	srv.Register(deploy.ClusterService(cluster{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, &rpc.DialOptions{
		Services: []rpc.Service{deploy.OperatorService(operator{})},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	report, err := deploy.NewClusterClient(conn).Restart(ctx, "web")
	fmt.Println(report, err)
	// Output: restarted web at once <nil>
}

// Status declares that its error may be a *deploy.UnknownService.
func ExampleErrorType() {
	srv := rpc.NewServer(nil)
	srv.Register(deploy.ClusterService(cluster{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = deploy.NewClusterClient(conn).Status(ctx, "wep")
	if e, ok := errors.AsType[*deploy.UnknownService](err); ok {
		fmt.Printf("no %s, is it %s?\n", e.Service, e.Similar)
	}
	// Output: no wep, is it web?
}

// An interceptor is wrapped around calls, on the side that makes them or on the
// side that serves them.
func ExampleInterceptor() {
	guarded := func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
		if rpc.Metadata(ctx)["tenant"] == "" {
			return rpc.Errorf(rpc.CodePermissionDenied, "%s: whose cluster?", c.Method.Name)
		}
		return next(ctx, c)
	}
	srv := rpc.NewServer(&rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{guarded}})
	srv.Register(deploy.ClusterService(cluster{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = deploy.NewClusterClient(conn).Status(ctx, "web")
	fmt.Println(err)
	// Output: Cluster.Status: whose cluster?
}

// An option says of a method what interceptors need to know: here who may call it,
// which deploy.Cluster says for all of its methods, and again for Restart.
func ExampleMethod_Option() {
	type roleKey struct{}
	admitted := func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
		switch role := c.Method.Option("role"); role {
		case "viewer", ctx.Value(roleKey{}):
			return next(ctx, c)
		default: // also "": nobody has said who may call it
			return rpc.Errorf(rpc.CodePermissionDenied, "%s needs the role %q", c.Method.Name, role)
		}
	}
	srv := rpc.NewServer(&rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{admitted}})
	srv.Register(deploy.ClusterService(cluster{}))
	defer srv.Close()

	ctx := context.Background()
	client := deploy.NewClusterClient(srv.Caller(context.WithValue(ctx, roleKey{}, "viewer")))
	status, err := client.Status(ctx, "web")
	fmt.Println(status.Version, err)
	_, err = client.Restart(ctx, "web")
	fmt.Println(err)
	// Output:
	// v1.4 <nil>
	// Cluster.Restart needs the role "admin"
}

type userKey struct{}

// verify is where an application looks at its tokens.
func verify(token string) (user string, expires time.Time, err error) {
	user, ok := strings.CutPrefix(token, "token of ")
	if !ok {
		return "", time.Time{}, rpc.Errorf(rpc.CodeUnauthenticated, "no token")
	}
	return user, time.Now().Add(time.Hour), nil
}

func ExampleServerOptions_authenticate() {
	srv := rpc.NewServer(&rpc.ServerOptions{
		Authenticate: func(ctx context.Context, token string) (context.Context, error) {
			user, expires, err := verify(token)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithDeadline(context.WithValue(ctx, userKey{}, user), expires)
			context.AfterFunc(ctx, cancel)
			return ctx, nil
		},
	})
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, &rpc.DialOptions{Token: func(context.Context) (string, error) { return "token of ann", nil }})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = rpc.Dial(ctx, hs.URL, nil)
	fmt.Println(rpc.CodeOf(err) == rpc.CodeUnauthenticated)
	// Output: true
}

func ExampleObserver() {
	logged := &rpc.Observer{Call: func(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
		return ctx, func(r rpc.CallResult) { fmt.Println(c.Method.Name, r.Err) }
	}}
	srv := rpc.NewServer(&rpc.ServerOptions{Observers: []*rpc.Observer{logged}})
	srv.Register(deploy.ClusterService(cluster{}))
	caller := srv.Caller(context.Background())
	deploy.NewClusterClient(caller).Status(context.Background(), "wep")
	caller.Call(context.Background(), &rpc.Call{Method: &rpc.Method{Name: "Cluster.Nothing"}})
	srv.Close()
	// Output:
	// Cluster.Status wep is not deployed
	// Cluster.Nothing method not found: Cluster.Nothing
}

// Metadata travels beside a call, in both directions.
func ExampleWithMetadata() {
	srv := rpc.NewServer(nil)
	srv.Register(deploy.ClusterService(cluster{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	answer := map[string]string{}
	ctx = rpc.WithMetadata(ctx, map[string]string{"tenant": "acme"})
	ctx = rpc.ResponseMetadata(ctx, answer)
	status, err := deploy.NewClusterClient(conn).Status(ctx, "web")
	fmt.Println(status.Service, answer["region"], err)
	// Output: acme/web eu-west <nil>
}

// A connection needs no WebSocket: lines of JSON over any byte stream do.
func ExampleServer_ServeConn() {
	srv := rpc.NewServer(nil)
	srv.Register(deploy.ClusterService(cluster{}))
	near, far := net.Pipe()
	go srv.ServeConn(context.Background(), far)

	ctx := context.Background()
	conn, err := rpc.NewConn(ctx, near, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	status, err := deploy.NewClusterClient(conn).Status(ctx, "web")
	fmt.Println(status.Version, err)
	// Output: v1.4 <nil>
}

// A service that has a channel makes a stream of it, and a client that wants a
// channel gets one.
func ExampleFromChan() {
	ch := make(chan int, 3)
	for i := range 3 {
		ch <- i
	}
	close(ch)
	ctx := context.Background()
	stream := rpc.FromChan(ctx, ch, nil) // to return from a method

	items, end := rpc.ToChan(ctx, stream) // of what a method returned
	for i := range items {
		fmt.Println(i)
	}
	fmt.Println(end())
	// Output:
	// 0
	// 1
	// 2
	// <nil>
}

// A connection that is cut goes on where it was.
func ExampleConn_States() {
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
	srv.Register(deploy.ClusterService(cluster{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, &rpc.DialOptions{Resume: true})
	if err != nil {
		log.Fatal(err)
	}
	for state := range conn.States(ctx) {
		fmt.Println(state.Phase, state.Session, state.Resumable)
		if state.Phase == rpc.Connected {
			go conn.Close()
		}
	}
	// Output:
	// connected 1 true
	// closed 1 false
}
