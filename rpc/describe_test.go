package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
)

// described is a service with one method, Say, and a description of it. Its schema
// echo.Text has a title, so that those of two services can differ.
func described(name, title string) rpc.Service {
	const text = `{"methods":[{"name":"%s.Say","params":[{"name":"text","schema":{"$ref":"#/components/schemas/echo.Text"}}],"result":{"name":"result","schema":{"$ref":"#/components/schemas/echo.Text"}}}],"components":{"schemas":{"echo.Text":{"title":"%s","type":"string"}}}}`
	return rpc.Service{Name: name, Methods: []*rpc.Method{echoing(name + ".Say")}, Description: fmt.Sprintf(text, name, title)}
}

// echoing is a method without a description.
func echoing(name string) *rpc.Method {
	return &rpc.Method{Name: name, Params: []string{"text"}, New: func() (any, any) { return nil, new(string) },
		Serve: func(context.Context, any, *rpc.Call) error { return nil }}
}

// A description is what the tests look at of one.
type description struct {
	Info    struct{ Title string }
	Methods []struct {
		Name   string
		Result struct{ Schema map[string]any }
	}
	Components struct{ Schemas map[string]map[string]any }
}

// discover calls rpc.discover.
func discover(t *testing.T, caller rpc.Caller) (d description, err error) {
	t.Helper()
	var text json.RawMessage
	err = caller.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "rpc.discover"}, Result: &text})
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	return d, err
}

// Two services may have types of one name: both are described, each method with its own.
// A service without a description is there with the names that are known, and one that is
// added later is there from then on.
func TestDescribe(t *testing.T) {
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true})
	defer srv.Close()
	srv.Register(described("A", "one"), described("B", "two"), described("C", "one"), rpc.Service{Name: "D", Methods: []*rpc.Method{echoing("D.Say")}})
	caller := srv.Caller(t.Context())
	d, err := discover(t, caller)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range d.Methods {
		title := "none"
		if ref, ok := m.Result.Schema["$ref"].(string); ok {
			title = fmt.Sprint(d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]["title"])
		}
		got = append(got, m.Name+" "+title)
	}
	if want := []string{"A.Say one", "B.Say two", "C.Say one", "D.Say none"}; !slices.Equal(got, want) || d.Info.Title != "A, B, C, D" {
		t.Errorf("%s has %q, want %q", d.Info.Title, got, want)
	}
	srv.Register(described("E", "three"))
	if d, err := discover(t, caller); err != nil || len(d.Methods) != 5 {
		t.Errorf("%d methods, %v", len(d.Methods), err)
	}
}

// What generated services say of themselves is a document: each reference leads somewhere.
func TestDescribeGenerated(t *testing.T) {
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true, Codecs: []codec.Codec{cbor.Codec}})
	srv.Register(services()...)
	hs := httptest.NewServer(srv)
	defer hs.Close()
	defer srv.Close()
	var all []description
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		conn, err := rpc.Dial(t.Context(), hs.URL, &rpc.DialOptions{Codec: cd})
		if err != nil {
			t.Fatal(err)
		}
		d, err := discover(t, conn)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
		conn.Close()
	}
	if !reflect.DeepEqual(all[0], all[1]) {
		t.Error("the description differs by the codec")
	}
	resp, err := http.Post(hs.URL, "application/json", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), `"$ref":"#/components/schemas/`) {
		name, _, _ := strings.Cut(part, `"`)
		if !strings.HasPrefix(part, `{"jsonrpc"`) && all[0].Components.Schemas[name] == nil {
			t.Errorf("there is no schema %s", name)
		}
	}
	if len(all[0].Methods) != len(slices.Collect(srv.Methods()))-1 {
		t.Errorf("%d methods are described, of %d", len(all[0].Methods), len(slices.Collect(srv.Methods()))-1)
	}
}

// An interceptor may keep a description from whoever should not have it, and one that is
// not valid says whose it is.
func TestDescribeRefused(t *testing.T) {
	guard := func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
		if c.Method.Name == "rpc.discover" {
			return rpc.Errorf(rpc.CodePermissionDenied, "not for you")
		}
		return next(ctx, c)
	}
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true, ServeInterceptors: []rpc.Interceptor{guard}})
	defer srv.Close()
	if _, err := discover(t, srv.Caller(t.Context())); rpc.CodeOf(err) != rpc.CodePermissionDenied {
		t.Errorf("got %v", err)
	}
	srv = rpc.NewServer(&rpc.ServerOptions{Describe: true})
	defer srv.Close()
	srv.Register(rpc.Service{Name: "Bad", Description: "{"})
	if _, err := discover(t, srv.Caller(t.Context())); err == nil || !strings.Contains(err.Error(), "the description of the service Bad is not valid") {
		t.Errorf("got %v", err)
	}
}
