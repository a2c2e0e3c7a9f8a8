package passthrough

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/rpc"
)

// What a name says of a method arrives, whatever names its parts have.
func TestName(t *testing.T) {
	const odd = "a=b&c?d%*=\n\u20ac "
	stream := func() record { return record{new(value), new(contract.Stream)} }
	options := []rpc.Option{{Key: odd, Value: ""}, {Key: odd, Value: odd}, {Key: "x", Value: "y"}}
	for name, c := range map[string]struct {
		call            rpc.Call
		params, results any // as a gate makes them
	}{
		"nothing": {rpc.Call{Method: &rpc.Method{Name: "m"}}, nil, nil},
		"all": {
			rpc.Call{
				Method: &rpc.Method{
					Name: odd, Service: odd, Cursor: odd, Notify: true, Idempotent: true, Unordered: true, Options: options,
					Params: []string{odd, "items"}, Results: []string{"n", odd}, ResultAliases: map[string]string{odd: "n", "old": odd},
				},
				Params: stream(), Result: stream(),
			},
			stream(), stream(),
		},
		"values": {
			rpc.Call{Method: &rpc.Method{Name: "m", Params: []string{"a", "b"}}, Params: record{new(value), new(value)}, Result: new(int)},
			new(value), new(value),
		},
		"a stream": {rpc.Call{Method: &rpc.Method{Name: "m"}, Params: []int{1}, Result: new(contract.Stream)}, new(value), new(contract.Stream)},
	} {
		t.Run(name, func(t *testing.T) {
			shapes := new(cache)
			for _, target := range []string{odd, "x"} {
				got, s := shapes.parse(nameOf(target, &c.call))
				if got != target || s == nil {
					t.Fatalf("to %q: %v", got, s)
				}
				want, have := *c.call.Method, s.method
				if c.params == nil || !hasStreams(c.params, want.Params) {
					want.Params = nil
				}
				if c.results == nil || !hasStreams(c.results, want.Results) {
					want.Results = nil
				}
				if len(have.ResultAliases) == 0 {
					have.ResultAliases = nil
				}
				if !reflect.DeepEqual(have, want) {
					t.Errorf("%+v, want %+v", have, want)
				}
				if p, r := s.params.new(), s.results.new(); !reflect.DeepEqual(p, c.params) || !reflect.DeepEqual(r, c.results) {
					t.Errorf("values are %#v and %#v, want %#v and %#v", p, r, c.params, c.results)
				}
			}
			if len(shapes.shapes) != 1 {
				t.Errorf("%d shapes", len(shapes.shapes))
			}
		})
	}
}

func hasStreams(v any, names []string) bool {
	_, ok := v.(record)
	return ok && len(streams(v, names)) > 0
}

// Other names are no methods, and any number of shapes costs no more than a number of
// them.
func TestOtherNames(t *testing.T) {
	shapes := new(cache)
	for _, name := range []string{"", "Room.Post", "?", "x?", "x?param=a", "%zz?method=m", "x?method=%zz", "x?a;b"} {
		if target, s := shapes.parse(name); s != nil {
			t.Errorf("%q: to %q, %+v", name, target, s)
		}
	}
	for i := range 3 * maxCached {
		if _, s := shapes.parse("x?method=" + strconv.Itoa(i)); s == nil || len(shapes.shapes) > maxCached {
			t.Fatal(i, s, len(shapes.shapes))
		}
	}
}
