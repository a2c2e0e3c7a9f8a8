package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/wirecall/wirecall/example/quickstart/kitchen"
	"github.com/wirecall/wirecall/rpc"
)

// cook is a kitchen.Kitchen of which the examples need a little.
type cook struct{ kitchen.Kitchen }

func (cook) Order(ctx context.Context, dish string) (kitchen.Meal, error) {
	if dish != "soup" {
		return kitchen.Meal{}, &kitchen.NotOnMenu{Dish: dish, Instead: "soup"}
	}
	if who := rpc.Metadata(ctx)["guest"]; who != "" {
		rpc.SetMetadata(ctx, "cook", "Paul")
		dish += " for " + who
	}
	return kitchen.Meal{Dish: dish, Cents: 500}, nil
}

func (cook) Steak(ctx context.Context) (kitchen.Meal, error) {
	how, err := kitchen.NewGuestClient(rpc.Peer(ctx)).Choose(ctx, "how?", []string{"rare", "done"})
	return kitchen.Meal{Dish: "steak, " + how}, err
}

type guest struct{}

func (guest) Choose(_ context.Context, _ string, options []string) (string, error) {
	return options[0], nil
}

func Example() {
	srv := rpc.NewServer(nil)
	srv.Register(kitchen.KitchenService(cook{}))
	hs := httptest.NewServer(srv) // any http.Server does
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	meal, err := kitchen.NewKitchenClient(conn).Order(ctx, "soup")
	fmt.Println(meal.Dish, meal.Cents, err)
	// Output: soup 500 <nil>
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
	srv.Register(kitchen.KitchenService(cook{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, &rpc.DialOptions{
		Services: []rpc.Service{kitchen.GuestService(guest{})},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	meal, err := kitchen.NewKitchenClient(conn).Steak(ctx)
	fmt.Println(meal.Dish, err)
	// Output: steak, rare <nil>
}

// kitchen.NotOnMenu has an ErrorCode, and its package has registered it.
func ExampleRegisterError() {
	srv := rpc.NewServer(nil)
	srv.Register(kitchen.KitchenService(cook{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = kitchen.NewKitchenClient(conn).Order(ctx, "caviar")
	if e, ok := errors.AsType[*kitchen.NotOnMenu](err); ok {
		fmt.Printf("no %s, take the %s\n", e.Dish, e.Instead)
	}
	// Output: no caviar, take the soup
}

// An interceptor is wrapped around calls, on the side that makes them or on the
// side that serves them.
func ExampleInterceptor() {
	logged := func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
		err := next(ctx, c)
		fmt.Println(c.Method.Name, err)
		return err
	}
	srv := rpc.NewServer(&rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{logged}})
	srv.Register(kitchen.KitchenService(cook{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	kitchen.NewKitchenClient(conn).Order(ctx, "caviar")
	// Output: Kitchen.Order caviar is not on the menu
}

// Metadata travels beside a call, in both directions.
func ExampleWithMetadata() {
	srv := rpc.NewServer(nil)
	srv.Register(kitchen.KitchenService(cook{}))
	hs := httptest.NewServer(srv)
	defer hs.Close()

	ctx := context.Background()
	conn, err := rpc.Dial(ctx, hs.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	answer := map[string]string{}
	ctx = rpc.WithMetadata(ctx, map[string]string{"guest": "Ann"})
	ctx = rpc.ResponseMetadata(ctx, answer)
	meal, err := kitchen.NewKitchenClient(conn).Order(ctx, "soup")
	fmt.Println(meal.Dish, answer["cook"], err)
	// Output: soup for Ann Paul <nil>
}

// A connection needs no WebSocket: lines of JSON over any byte stream do.
func ExampleServer_ServeConn() {
	srv := rpc.NewServer(nil)
	srv.Register(kitchen.KitchenService(cook{}))
	near, far := net.Pipe()
	go srv.ServeConn(context.Background(), far)

	ctx := context.Background()
	conn, err := rpc.NewConn(ctx, near, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	meal, err := kitchen.NewKitchenClient(conn).Order(ctx, "soup")
	fmt.Println(meal.Dish, err)
	// Output: soup <nil>
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
	srv.Register(kitchen.KitchenService(cook{}))
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
