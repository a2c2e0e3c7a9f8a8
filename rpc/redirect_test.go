package rpc

import (
	"net/url"
	"testing"
)

// A redirect is followed to the host that was dialed and to names below it, never from
// TLS to none, and to others if the application accepts them.
func TestRedirectsThatAreFollowed(t *testing.T) {
	accept := func(u *url.URL) bool { return u.Hostname() == "n7.other" }
	for _, test := range []struct {
		dialed, at, to string // to is empty if it is not followed
	}{
		{"wss://a.example/rpc", "wss://a.example/rpc", "wss://a.example/rpc"},
		{"wss://a.example/rpc", "wss://a.example:8443/n7", "wss://a.example:8443/n7"},
		{"wss://a.example/rpc", "wss://n7.a.example/rpc", "wss://n7.a.example/rpc"},
		{"wss://a.example/rpc", "wss://N7.A.Example/rpc", "wss://N7.A.Example/rpc"},
		{"https://a.example/rpc", "wss://n7.a.example/rpc", "wss://n7.a.example/rpc"},
		{"ws://a.example/rpc", "wss://n7.a.example/rpc", "wss://n7.a.example/rpc"},
		{"ws://a.example/rpc", "ws://n7.a.example/rpc", "ws://n7.a.example/rpc"},
		{"ws://127.0.0.1:8080/rpc", "ws://127.0.0.1:8081/rpc", "ws://127.0.0.1:8081/rpc"},
		{"ws://[::1]:8080/rpc", "ws://[::1]:8081/rpc", "ws://[::1]:8081/rpc"},
		{"wss://a.example/rpc", "wss://n7.other/rpc", "wss://n7.other/rpc"},
		{"wss://ann:pw@a.example/rpc?key=1", "wss://n7.a.example/rpc", "wss://ann:pw@n7.a.example/rpc?key=1"},
		{"wss://a.example/rpc?key=1", "wss://n7.a.example/rpc?node=7", "wss://n7.a.example/rpc?node=7"},

		{"wss://a.example/rpc", "ws://a.example/rpc", ""},
		{"https://a.example/rpc", "ws://a.example/rpc", ""},
		{"wss://a.example/rpc", "ws://n7.other/rpc", ""},
		{"wss://a.example/rpc", "https://a.example/rpc", ""},
		{"ws://a.example/rpc", "tcp://a.example:80", ""},
		{"ws://a.example/rpc", "unix:///run/socket", ""},
		{"ws://a.example/rpc", "/rpc", ""},
		{"ws://a.example/rpc", "//a.example/rpc", ""},
		{"ws://a.example/rpc", "ws://a.example:port/", ""},
		{"wss://a.example/rpc", "wss://example/rpc", ""},
		{"wss://a.example/rpc", "wss://b.example/rpc", ""},
		{"wss://a.example/rpc", "wss://nota.example/rpc", ""},
		{"wss://a.example/rpc", "wss://a.example.evil/rpc", ""},
		{"wss://a.example/rpc", "wss://a.example@evil/rpc", ""},
		{"wss://a.example/rpc", "wss:///rpc", ""},
		{"ws://127.0.0.1/rpc", "ws://1.127.0.0.1/rpc", ""},
	} {
		d, err := newDialer(test.dialed, &DialOptions{Redirect: accept})
		if err != nil {
			t.Fatal(err)
		}
		to := ""
		if u, err := d.follow(test.at); err == nil {
			to = u.String()
		}
		if to != test.to {
			t.Errorf("from %s to %s: dials %q, want %q", test.dialed, test.at, to, test.to)
		}
	}
}
